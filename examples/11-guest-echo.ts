// A guest that connects, sends and gets its bytes back; the echo service is dom0's.
//
//   npm start -- image examples/11-guest-echo.ts -o echo.img
//   npm start -- xen --dom0 echo.img --job 'nc -ll -p 7 -e cat & await_guest guest 60'
import { errorName, exit, now, settingNumber, Socket, textOf } from 'pvcalls/guest';

const PATIENCE_MS: u32 = 5000;

const port = settingNumber('port', 7) as u16;
const echo = Socket.connected('127.0.0.1', port, PATIENCE_MS);
if (echo.error < 0) {
  console.log(`connect to port ${port}: ${errorName(echo.error)}`);
  exit(1);
}

const since = now();
const sent = 'hello from a guest in TypeScript';
echo.sendText(sent);

const bytes = new Uint8Array(256);
let back = '';
while (back.length < sent.length) {
  const size = echo.receive(bytes, PATIENCE_MS);
  if (size <= 0) {
    console.log('receive: ' + (size == 0 ? 'end of the stream' : errorName(size)));
    exit(1);
  }
  back += textOf(bytes, size);
}
console.log(`echoed: ${back}`);
console.log(`there and back in ${now() - since} ms; close: ${errorName(echo.close())}`);
