// node run.mjs [-i] COMMAND: run it in the daemon's shell like a local command; -i: forward stdin.
import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { hostname } from "node:os";
import WebSocket from "ws";

const fail = (why) => process.exit(console.error(why) ?? 1);
process.on("uncaughtException", (error) => fail(error.message || error.code));
const { SHELLWIRE_URL: url, SHELLWIRE_TOKEN: token } = process.env;
const client_id = process.env.SHELLWIRE_CLIENT_ID || `run.mjs@${hostname()}`;
const reads = process.argv[2] === "-i";
const command = process.argv.slice(reads ? 3 : 2).join(" ");
if (!url || !token || !command)
  fail("usage: run.mjs [-i] COMMAND, with SHELLWIRE_URL and SHELLWIRE_TOKEN set");
const job = { id: randomUUID(), command, timeout: 120, on_disconnect: "kill" };
if (reads) job.stdin_data = await text(process.stdin);
const ws = new WebSocket(url);
const send = (message) => ws.send(JSON.stringify(message));
ws.on("open", () => send({ type: "auth", token, client_id, protocol: 1 }));
ws.on("message", (frame) => {
  const message = JSON.parse(frame);
  if (message.type === "status") send({ type: "execute", ...job });
  if (message.type === "output") process[message.stream].write(message.data);
  if (message.type === "error") fail(`${message.code}: ${message.message}`);
  if (message.type !== "result") return;
  if (message.reason !== "exited") console.error("run.mjs:", message.error ?? message.reason);
  process.exitCode = message.signal ? 128 - message.exit_code : message.exit_code;
  ws.close();
});
ws.on("close", (code, why) => process.exitCode ?? fail(`${url}: closed with ${code} ${why}`));
