// node hello.mjs COMMAND: run it in the daemon's shell.
import WebSocket from "ws";

const ws = new WebSocket(process.env.SHELLWIRE_URL);
const send = (message) => ws.send(JSON.stringify(message));
const auth = { type: "auth", token: process.env.SHELLWIRE_TOKEN, client_id: "hello.mjs" };
const job = { type: "execute", id: "1", command: process.argv.slice(2).join(" ") };
ws.on("open", () => send(auth));
ws.on("message", (frame) => {
  const message = JSON.parse(frame);
  if (message.type === "status") send(job);
  if (message.type === "output") process[message.stream].write(message.data);
  if (message.type === "error") console.error(`${message.code}: ${message.message}`);
  if (message.type !== "result") return;
  if (message.reason !== "exited") console.error(message.reason);
  process.exit(message.signal ? 128 - message.exit_code : message.exit_code);
});
ws.on("error", (error) => console.error(error.message || error.code));
ws.on("close", (code) => process.exit(console.error(`closed with ${code}`) ?? 1));
