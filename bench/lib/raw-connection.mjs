/** One HTTP/1.1 connection over a bare socket: several times cheaper than an HTTP client, so that the server is the limit. */
import { once } from 'node:events';
import { connect } from 'node:net';

export class RawConnection {
  #socket;
  #pending;
  #head = '';
  #bodiless = false;
  #state;

  static async open(host, port) {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The server closed the connection')));
  }

  /**
   * Sends one request and waits for the whole answer.
   * @param {string} head request head including the blank line
   * @param {{chunk: Buffer, times: number}} [body] the chunk sent that many times
   * @param {boolean} [bodiless] the answer has no body, whatever length it states
   * @returns {Promise<{status: number, bytes: number, text: string}>} text: start of the answer's body unless it was a success
   */
  async request(head, body, bodiless = false) {
    const answer = new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
    this.#state = undefined;
    this.#head = '';
    this.#bodiless = bodiless;
    if (body !== undefined && body.times === 1) {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body.chunk);
      this.#socket.uncork();
    } else {
      this.#socket.write(head, 'latin1');
      for (let sent = 0; body !== undefined && sent < body.times && this.#pending !== undefined; sent++) {
        if (!this.#socket.write(body.chunk)) await Promise.race([once(this.#socket, 'drain'), answer]);
      }
    }
    return answer;
  }

  close() {
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #receive(chunk) {
    let rest = chunk;
    if (this.#state === undefined) {
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return;
      rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
      this.#state = readHead(this.#head.slice(0, end));
    }
    const state = this.#state;
    state.bytes += rest.length;
    if (state.status >= 300 && state.text.length < 2000) state.text += rest.toString('latin1');
    if (state.chunked) state.tail = (state.tail + rest.subarray(-5).toString('latin1')).slice(-5);
    const whole = state.chunked ? state.tail === '0\r\n\r\n' : state.bytes >= state.length;
    const done = this.#bodiless || whole;
    if (done) {
      const { resolve } = this.#pending;
      this.#pending = undefined;
      resolve(state);
    }
  }

  #fail(error) {
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}

function readHead(head) {
  const length = /^content-length: *(\d+)/im.exec(head);
  return {
    status: Number(head.slice(9, 12)),
    length: length ? Number(length[1]) : 0,
    chunked: /^transfer-encoding: *chunked/im.test(head),
    bytes: 0,
    text: '',
    tail: '',
  };
}
