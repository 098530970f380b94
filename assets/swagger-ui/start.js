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
    // A change by the cookie of a session needs it.
    requestInterceptor: (request) => {
      request.headers["x-requested-with"] = "docs";
      return request;
    },
    presets: [SwaggerUIBundle.presets.apis],
  });
});
