/** The thread that a PKCS#11 library runs in; started by pkcs11-client.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Pkcs11CallName, Pkcs11Calls, Pkcs11Request, Pkcs11Response, Pkcs11ThreadOptions } from './pkcs11-port';
import { pkcs11Fault } from './pkcs11-session';
import { Pkcs11Token } from './pkcs11-token';

type Handlers = { readonly [Name in Pkcs11CallName]: (ask: Pkcs11Calls[Name]['ask']) => Pkcs11Calls[Name]['answer'] };

const token = new Pkcs11Token(workerData as Pkcs11ThreadOptions);

const HANDLERS: Handlers = {
  library: () => token.session.describeLibrary(),
  token: () => token.session.describeToken(),
  login: () => token.session.login(),
  mechanisms: () => token.session.mechanisms(),
  probe: () => token.probe(),
  generate: ({ label, context }) => token.generate(label, context),
  decrypt: ({ label, context, ciphertext }) => token.decrypt(label, context, Buffer.from(ciphertext)),
  describe: ({ label }) => token.describe(label),
  list: () => token.list(),
  create: ({ label }) => token.create(label),
  rotate: ({ label }) => token.rotate(label),
  destroy: ({ label }) => token.destroy(label),
  restart: () => {
    token.session.restartLibrary();
    return null;
  },
  close: () => {
    token.session.close();
    return null;
  },
};

parentPort?.on('message', ({ call, ask }: Pkcs11Request) => {
  const response = answer(call, ask);
  parentPort?.postMessage(response);
  if ('answer' in response) {
    wipe(response.answer);
  }
  if (call === 'close') {
    parentPort?.close();
  }
});

function answer(call: Pkcs11CallName, ask: object): Pkcs11Response {
  try {
    return { answer: (HANDLERS[call] as (ask: object) => unknown)(ask) };
  } catch (error) {
    const { reason, detail } = pkcs11Fault(error);
    return { fault: { reason, detail } };
  }
}

/** The message has been copied; the data key is not needed here any more. */
function wipe(sent: unknown): void {
  const key = sent instanceof Uint8Array ? sent : (sent as { plaintext?: Uint8Array } | null)?.plaintext;
  key?.fill(0);
}
