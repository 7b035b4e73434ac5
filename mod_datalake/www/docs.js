/* docs.js - Shows the API description with Swagger UI.
 * SPDX-License-Identifier: Apache-2.0 */
"use strict";

// Dark where the reader's system is.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  requestSnippetsEnabled: true,
  validatorUrl: null // never ask a foreign host
});
