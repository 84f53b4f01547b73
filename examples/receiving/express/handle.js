// Deals with what the webhook has received, one message after the other: node handle.js [--once]
// Run one of it. It may be stopped at any time: what it was just dealing with comes again when it is started.
import { setTimeout as pause } from "node:timers/promises";
import { done, read, waiting } from "./inbox.js";

/** Your work. It may come twice if the program ends in the middle of it; `data.sequence` tells old news from new. */
function handle({ type, data }) {
  console.log(type, data.id ?? "", data.status ?? "");
  for (const result of data.results ?? []) console.log("  ", result.url ?? result.error.message);
}

for (;;) {
  for (const name of await waiting()) {
    try {
      handle(await read(name));
      await done(name);
    } catch (error) {
      console.error(`${name} failed: ${error}`); // and stays for the next time; it holds nothing else up
    }
  }
  if (process.argv.includes("--once")) break;
  await pause(1000);
}
