// POSTs each message to the endpoint of docs/verify.md; prints the statuses, and what it kept.
import { once } from "node:events";
import { messages } from "./input.js";

const given = await messages();
process.env.PORT = "0";
process.env.WEBHOOK_SECRET = given[0].key;
const { inbox, server } = await import("./built/endpoint.js");
if (!server.listening) await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/webhook`;
const statuses = [];
for (const { headers, body } of given) {
  statuses.push((await fetch(url, { method: "POST", headers, body })).status);
}
console.log(JSON.stringify({ statuses, inbox: [...inbox] }));
server.closeAllConnections();
server.close();
