// Opens the page that `nerve ... --viewer serve` serves (a build with --features web-viewer) in headless Chromium,
// takes a picture, and fails if the browser asked for anything that is not on this machine.
//
//   node viewer/scripts/screenshot-web.mjs URL OUT.png [SECONDS]
//
// Needs `npm install playwright-core` where node finds it, and a Chromium: CHROMIUM, or /usr/bin/chromium.
import { chromium } from "playwright-core";

const [url, out, seconds = "20"] = process.argv.slice(2);
if (!url || !out) {
  console.error("usage: node screenshot-web.mjs URL OUT.png [SECONDS]");
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // WebGL in software.
  args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
});
const page = await browser.newPage({ viewport: { width: 1500, height: 850 }, colorScheme: "dark" });
const local = (address) => /^(data|blob):/.test(address) || /^(127\.0\.0\.1|localhost|\[::1\])$/.test(new URL(address).hostname);
const outside = new Set();
const blocked = new Set();
page.on("request", (request) => {
  // What the policy blocks is asked for by the page, but never leaves the browser: see requestfailed.
  if (!local(request.url())) outside.add(request.url());
});
page.on("requestfailed", (request) => {
  if (request.failure()?.errorText === "csp" && outside.delete(request.url())) blocked.add(request.url());
});
// What the policy blocks is told at the end, once.
const known = /Content Security Policy|Failed to fetch/;
page.on("console", (message) => {
  if (message.type() === "error" && !known.test(message.text())) console.error(`page: ${message.text().slice(0, 300)}`);
});
await page.goto(url);
await page.waitForTimeout(Number(seconds) * 1000);
await page.screenshot({ path: out });
await browser.close();
if (outside.size > 0) {
  console.error("the page asked for what is not on this machine:", [...outside]);
  process.exit(1);
}
console.log(`${out}: nothing left this machine; blocked in the browser:`, [...blocked]);
