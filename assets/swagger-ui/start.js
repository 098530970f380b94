// Shows the description of the API. A file of its own, because the page allows no script inside of it.
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    validatorUrl: null,
    requestSnippetsEnabled: true,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
