// What was received: kept before it is answered, each message once, until `handle.js` has dealt with it.
// A folder, so that nothing has to be installed; in your application this is a table of the database that you have.
import { existsSync } from "node:fs";
import { link, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";

const FOLDER = "inbox";

await mkdir(FOLDER, { recursive: true });

/** Keeps a message by its webhook-id. One that is there already, handled or not, stays as it is. */
export async function keep(id, body) {
  const draft = `${FOLDER}/${randomUUID()}.part`;
  await writeFile(draft, body, { flush: true });
  try {
    await link(draft, `${FOLDER}/${encodeURIComponent(id)}.json`); // whole or not at all, and only once
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  } finally {
    await rm(draft);
  }
}

/** The names of what is not handled yet. */
export async function waiting() {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".json"));
  return names.filter((name) => !existsSync(`${FOLDER}/${name}.done`)).sort();
}

/** The notification of that name. */
export async function read(name) {
  return JSON.parse(await readFile(`${FOLDER}/${name}`, "utf8"));
}

/** Marks a message as handled. */
export async function done(name) {
  await writeFile(`${FOLDER}/${name}.done`, "");
}
