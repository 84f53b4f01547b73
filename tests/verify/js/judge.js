// Signs and verifies with what others have written: standardwebhooks and svix for v1, Node.js' own ed25519 for v1a.
// Each message is {id, timestamp, body, secret, seed, publicKey, headers}; the keys but the secret are raw, in base64.
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import * as standardwebhooks from "standardwebhooks";
import * as svix from "svix";
import { messages } from "./input.js";

const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex"); // RFC 8410, before a seed of 32 bytes

function judge({ id, timestamp, body, secret, seed, publicKey, headers }) {
  const [, ed25519] = headers["webhook-signature"].split(" ").map((one) => one.split(","));
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, Buffer.from(seed, "base64")]), format: "der", type: "pkcs8" });
  const x = Buffer.from(publicKey, "base64").toString("base64url");
  const shown = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const signatures = [standardwebhooks, svix].map(({ Webhook }) => {
    const webhook = new Webhook(secret);
    webhook.verify(body.toString(), headers); // throws if it is not genuine
    return webhook.sign(id, new Date(timestamp * 1000), body.toString());
  });
  return {
    v1: signatures,
    v1a: `v1a,${sign(null, content, key).toString("base64")}`,
    verified: verify(null, content, shown, Buffer.from(ed25519[1], "base64")),
    publicKey: createPublicKey(key).export({ format: "jwk" }).x === x,
  };
}

console.log(JSON.stringify((await messages()).map(judge)));
