"""The names of programs: those that make pictures by a model, and those that change them.

A name counts only where a program puts its own, and only when it is all that stands there: a
plug-in "from Midjourney to Lightroom" is none of the two.
"""

from __future__ import annotations

import re

NAMING = frozenset(
    {
        "Software",
        "ProcessingSoftware",
        "Make",
        "Model",
        "Artist",
        "xmp:CreatorTool",
        "tiff:Software",
        "photoshop:Credit",
        "dc:creator",
        "iptc:Program",
        "iptc:Credit",
        "iptc:Byline",
    }
)
"""Where a program puts its name; anywhere else it may just be spoken of."""
CHANGING = frozenset(
    {"Software", "ProcessingSoftware", "xmp:CreatorTool", "tiff:Software", "iptc:Program"}
)
"""Where a program that changed a picture puts it."""
MAX_NAME = 120
MADE_WITH = re.compile(r"^(?:made|created|generated) (?:with|by|in) ", re.I)
GENERATORS = re.compile(
    r"(?P<name>NovelAI|Midjourney|(?:OpenAI )?DALL[-·\u2022 ]?E|(?:OpenAI )?GPT[- ]Image|"
    r"Adobe Firefly|Firefly Image|Stable Diffusion|InvokeAI|ComfyUI|SwarmUI|Fooocus|"
    r"Easy Diffusion|DiffusionBee|Draw Things|Leonardo\.? ?Ai|Ideogram|Google AI|Google Imagen|"
    r"Imagen(?= ?[2-9])|Bing Image Creator|Microsoft Designer|Recraft|Playground AI|"
    r"(?:Apple )?Image Playground|Meta AI|xAI Grok|NightCafe|Krea AI|DreamStudio|"
    r"AUTOMATIC1111)(?![\w])",
    re.I,
)
SEPARATORS = re.compile(r"[\s_/()\-,:;]+")
AFTER_A_NAME = re.compile(
    r"v?\d[\w.+]*|v|ver\.?|version|diffusion|image|model|creator|xl|turbo|sdxl|ai|beta|alpha|"
    r"web|ui|webui|app|desktop|for|ios|ipados|macos|mac|macintosh|windows|linux|android|preview|"
    r"pro|ultra|lite|fast|core|large|medium|com|\.ai|[0-9a-f]{7,40}",
    re.I,
)
"""What may follow a program's name for it to be just that: a version, a system."""
MODEL_EDITS = {
    "edited with google ai": "Google AI",
    "apple photos clean up": "Apple Photos Clean Up",
}
"""The credits of programs that fill parts of a photograph by a generative model."""
EDITORS = re.compile(
    r"(?:created with |edited with |made with )?(?P<name>"
    r"(?:Adobe )?Photoshop(?: (?:Elements|Lightroom|Express|Camera Raw))?|"
    r"(?:Adobe )?Lightroom(?: Classic)?|(?:Adobe )?Camera Raw|Adobe (?:Bridge|Illustrator|Express)|"
    r"Adobe ImageReady|GIMP|Snapseed|PicsArt|VSCO|Affinity(?: Photo| Designer)?|"
    r"Pixelmator(?: Pro)?|Paint\.NET|Capture One|darktable|RawTherapee|digiKam|"
    r"Luminar(?: Neo| AI)?|DxO (?:PhotoLab|Optics ?Pro|PureRAW)|ON1 Photo RAW|"
    r"ACDSee(?: Pro| Ultimate)?|"
    r"Corel (?:PaintShop|Paint Shop|PHOTO-PAINT)(?: Pro)?|Paint Shop (?:Pro|Photo Album)|Picasa|"
    r"Canva|Polarr|Facetune2?|FaceApp|AirBrush|BeautyPlus|Meitu|Remini|Fotor|Pixlr|BeFunky|"
    r"Photo ?Scape(?: X)?|IrfanView|XnView(?: ?MP)?|FastStone|Krita|Aperture|Skylum|Topaz "
    r"(?:Photo AI|Gigapixel(?: AI)?|DeNoise AI|Sharpen AI|Labs)|Hugin|PTGui|Helicon Focus|"
    r"Photomatix(?: Pro)?|ImageMagick|GraphicsMagick|gd-jpeg|Photos? Editor|"
    r"Microsoft (?:Windows )?(?:Live )?Photo(?: Gallery|s| Editor)|paint\.net|"
    r"Acorn|Sketch|Figma|Inkscape|Windows Photo Editor"
    r")(?![\w])",
    re.I,
)
GD = re.compile(r"^CREATOR: (gd-jpeg)\b")


def generator_named(said: str) -> str:
    """The generator whose name this is, with nothing but a version behind it; "" if none."""
    if len(said) > MAX_NAME:
        return ""
    said = MADE_WITH.sub("", said.strip("\x00 \t\r\n\"'"), count=1)
    found = GENERATORS.match(said)
    if found is None:
        return ""
    rest = [word for word in SEPARATORS.split(said[found.end() :].lstrip(".")) if word]
    return found["name"] if all(map(AFTER_A_NAME.fullmatch, rest)) else ""


def editor_named(said: str) -> str:
    """The editor that a text begins with the name of; "" if none."""
    found = EDITORS.match(said[:MAX_NAME].lstrip())
    return found["name"] if found else ""
