/* redoc.js - Shows the API description with ReDoc.
 * SPDX-License-Identifier: Apache-2.0 */
"use strict";

window.Redoc.init(
  "/openapi.json",
  {
    expandResponses: "200,201,202",
    hideDownloadButton: false,
    nativeScrollbars: true,
    theme: {
      typography: {
        fontFamily: "sans-serif",
        headings: { fontFamily: "sans-serif" }
      }
    }
  },
  document.getElementById("api")
);
