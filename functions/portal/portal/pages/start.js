// Relative, because a stage name may stand before the path.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#api", deepLinking: true, displayRequestDuration: true });
