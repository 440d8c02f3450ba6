// Loaded before a test server with `node --import`. fauxqs listens on every interface and has no option for it;
// a test must not open a port to the network, so that every TCP listener of this process is put on loopback.
import { Server } from "node:net";

const LOOPBACK = "127.0.0.1";
const listen = Server.prototype.listen;

Server.prototype.listen = function listenOnLoopback(first, ...rest) {
  if (first !== null && typeof first === "object" && first.port !== undefined) {
    return listen.call(this, { ...first, host: LOOPBACK }, ...rest);
  }
  if (typeof first === "number" || /^\d+$/.test(String(first))) {
    const others = rest.filter((argument) => typeof argument !== "string");
    return listen.call(this, Number(first), LOOPBACK, ...others);
  }
  return listen.call(this, first, ...rest); // a pipe or a handle: no address to correct
};
