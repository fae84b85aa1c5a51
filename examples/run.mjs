// node run.mjs COMMAND: run a command in the daemon's shell, as if it ran here.
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

process.exitCode = 1; // until a result says otherwise
const ws = new WebSocket(process.env.SHELLWIRE_URL);
const send = (message) => ws.send(JSON.stringify(message));
ws.on("error", (error) => console.error(error.message));
ws.on("open", () => {
  send({ type: "auth", token: process.env.SHELLWIRE_TOKEN, client_id: "run.mjs", protocol: 1 });
  send({ type: "execute", id: randomUUID(), command: process.argv[2] });
});
ws.on("message", (frame) => {
  const message = JSON.parse(frame);
  if (message.type === "output") process[message.stream].write(message.data);
  if (message.type === "error") console.error(`${message.code}: ${message.message}`);
  if (message.type === "result") process.exitCode = message.exit_code;
  if (message.type === "result" || message.type === "error") ws.close();
});
