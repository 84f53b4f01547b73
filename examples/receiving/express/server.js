// Receives webhooks with Express: npm ci && WEBHOOK_SECRET=whsec_… PORT=9000 node server.js
import express from "express";
import { Webhook } from "standardwebhooks";
import { keep } from "./inbox.js";

const webhook = new Webhook(process.env.WEBHOOK_SECRET ?? "");
const app = express();

// express.raw gives the raw bytes on this route; what express.json() gives was not signed.
app.post("/webhook", express.raw({ type: "application/json", limit: "1mb" }), async (request, response) => {
  try {
    webhook.verify(request.body, request.headers);
  } catch {
    response.sendStatus(400);
    return;
  }
  await keep(request.headers["webhook-id"], request.body);
  response.sendStatus(204); // only now that it is kept; the work is for handle.js
});

app.listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
