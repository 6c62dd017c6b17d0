"use strict";

const place = document.getElementById("swagger-ui");
window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  validatorUrl: null, // asks nobody outside
  deepLinking: true,
  defaultModelsExpandDepth: 0,
});
