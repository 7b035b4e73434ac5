/* browse.mjs - Opens pages in Chromium and tells what happened.
 *
 * usage: node browse.mjs JOBS.json
 *
 * JOBS: [{url, wait: text that must appear, click: selectors or nothing, then:
 * text that must appear then, screenshot: file, dark: whether the system is}].
 * Prints one JSON array with, per job: requests (URLs), failed (URLs), errors
 * (what the console and the page said, violations of the policy included),
 * text (what a reader sees), ground (the colour behind it), status.
 *
 * SPDX-License-Identifier: Apache-2.0 */
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const jobs = JSON.parse(readFileSync(process.argv[2], "utf8"));
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync"
  ]
});

async function look(job) {
  const seen = { url: job.url, requests: [], failed: [], errors: [] };
  const page = await browser.newPage({
    viewport: { width: 1280, height: 900 },
    colorScheme: job.dark ? "dark" : "light"
  });
  page.setDefaultTimeout(120000); // a machine that has other work, too
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("requestfailed", (request) => seen.failed.push(request.url()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") {
      seen.errors.push(message.text());
    }
  });
  const answer = await page.goto(job.url, { waitUntil: "load" });
  seen.status = answer.status();
  try {
    await page.getByText(job.wait).first().waitFor();
    for (const selector of job.click ?? []) {
      await page.locator(selector).first().click();
    }
    if (job.then) {
      await page.getByText(job.then).first().waitFor();
    }
  } catch (error) {
    seen.errors.push(String(error));
  }
  seen.text = await page.innerText("body");
  seen.ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.screenshot({ path: job.screenshot });
  await page.close();
  return seen;
}

const told = [];
for (const job of jobs) {
  told.push(await look(job));
}
await browser.close();
console.log(JSON.stringify(told));
