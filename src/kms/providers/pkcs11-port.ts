/** What the thread with the PKCS#11 library is started with. */
export interface Pkcs11ThreadOptions {
  /** Path of the library. */
  readonly library: string;
  /** Slot id; else the token is found by its label. */
  readonly slot?: number;
  readonly tokenLabel?: string;
  readonly pin: string;
}

/** The calls that the thread answers, one after the other, and what each is asked with and answers. */
export interface Pkcs11Calls {
  /** Loads the library and tells its maker and version. */
  library: { readonly ask: object; readonly answer: string };
  /** Finds the token and tells its label and model. */
  token: { readonly ask: object; readonly answer: string };
  /** Logs in; false when this process had been logged in already, so that the PIN was not looked at. */
  login: { readonly ask: object; readonly answer: boolean };
  mechanisms: { readonly ask: object; readonly answer: Pkcs11Mechanisms };
  probe: { readonly ask: object; readonly answer: null };
  generate: { readonly ask: { readonly label: string; readonly context: string }; readonly answer: Pkcs11DataKey };
  decrypt: {
    readonly ask: { readonly label: string; readonly context: string; readonly ciphertext: Uint8Array };
    readonly answer: Uint8Array;
  };
  describe: { readonly ask: { readonly label: string }; readonly answer: readonly Pkcs11KeyVersion[] };
  /** Labels of all AES keys, each once. */
  list: { readonly ask: object; readonly answer: readonly string[] };
  create: { readonly ask: { readonly label: string }; readonly answer: readonly Pkcs11KeyVersion[] };
  rotate: { readonly ask: { readonly label: string }; readonly answer: readonly Pkcs11KeyVersion[] };
  destroy: { readonly ask: { readonly label: string }; readonly answer: null };
  /** Finalizes and initializes the library, with which all sessions of the process end. */
  restart: { readonly ask: object; readonly answer: null };
  /** Closes the session; the thread ends after it. */
  close: { readonly ask: object; readonly answer: null };
}

export type Pkcs11CallName = keyof Pkcs11Calls;

/** A fresh data key; its version is that of the ciphertext. */
export interface Pkcs11DataKey {
  readonly plaintext: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly version: string;
}

/** What a token can do by itself. */
export interface Pkcs11Mechanisms {
  /** Encrypting and decrypting by AES-GCM. */
  readonly wraps: boolean;
  /** Making AES keys. */
  readonly makesKeys: boolean;
}

/** One key object. */
export interface Pkcs11KeyVersion {
  /** CKA_ID in hexadecimal. */
  readonly version: string;
  /** Why new data keys are not wrapped with it. */
  readonly unfit?: string;
}

/** One question to the thread. */
export interface Pkcs11Request {
  readonly call: Pkcs11CallName;
  readonly ask: object;
}

/** Its answer. */
export type Pkcs11Response = { readonly answer: unknown } | { readonly fault: Pkcs11FaultFacts };

/** Why a call failed, as it crosses between threads. */
export interface Pkcs11FaultFacts {
  /** The name of a return value of PKCS#11 (`CKR_…`), or a reason of our own. */
  readonly reason: string;
  readonly detail?: string;
}

/** A failure inside the thread. */
export class Pkcs11Fault extends Error {
  override name = 'Pkcs11Fault';

  constructor(
    readonly reason: string,
    readonly detail?: string,
  ) {
    super(detail ?? reason);
  }
}
