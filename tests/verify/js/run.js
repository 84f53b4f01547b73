// Judges each message with the program of docs/verify.md that it names, by key, lower-cased headers and raw body.
import { messages } from "./input.js";

const answers = [];
for (const { program, key, headers, body } of await messages()) {
  const { verify } = await import(`./built/${program}.js`);
  try {
    answers.push({ event: verify(key, headers, body) });
  } catch (error) {
    answers.push({ refused: String(error) });
  }
}
console.log(JSON.stringify(answers));
