// An HTTP server that is a whole guest: no kernel below it, and its sockets are dom0's.
//
//   npm start -- image examples/10-guest-http.ts -o http.img
//   npm start -- xen --dom0 http.img --job 'await_line guest 60 serving; wget -qO- 127.0.0.1:8080'
import { errorName, exit, settingNumber, Socket, textOf } from 'pvcalls/guest';

const PATIENCE_MS: u32 = 5000;
const REQUEST_MAX = 4096;

const port = settingNumber('port', 8080) as u16;
const listener = Socket.listening(port);
if (listener.error < 0) {
  console.log('listen: ' + errorName(listener.error));
  exit(1);
}
console.log('serving port ' + port.toString());

/** All up to the empty line; shorter when the client says no more. */
function requestOf(client: Socket): string {
  const bytes = new Uint8Array(REQUEST_MAX);
  let text = '';
  while (text.length < REQUEST_MAX && !text.includes('\r\n\r\n')) {
    const size = client.receive(bytes, PATIENCE_MS);
    if (size <= 0) break;
    text += textOf(bytes, size);
  }
  return text;
}

function answer(status: string, body: string): string {
  return (
    `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nConnection: close\r\n` +
    `Content-Length: ${String.UTF8.byteLength(body)}\r\n\r\n${body}`
  );
}

let served = 0;
const last = settingNumber('requests', 0); // 0: goes on for ever
while (last == 0 || <u32>served < last) {
  const client = listener.accept();
  if (client.error < 0) break;
  const words = requestOf(client).split(' ');
  if (words.length > 1 && words[0] == 'GET') {
    served++;
    client.sendText(answer('200 OK', `request ${served}: you asked for ${words[1]}\n`));
  } else {
    client.sendText(answer('400 Bad Request', 'GET only\n'));
  }
  client.close(PATIENCE_MS);
}
console.log('served ' + served.toString());
