/* docs.js - Shows the API description with Swagger UI.
 * SPDX-License-Identifier: Apache-2.0 */
"use strict";

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  requestSnippetsEnabled: true,
  validatorUrl: null // never ask a foreign host
});
