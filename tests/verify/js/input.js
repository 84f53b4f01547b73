// What the tests hand over on standard input: an array of messages, {program?, key, headers, body}, bodies in base64.
import { json } from "node:stream/consumers";

export async function messages() {
  const given = await json(process.stdin);
  return given.map((one) => ({ ...one, body: Buffer.from(one.body, "base64") }));
}
