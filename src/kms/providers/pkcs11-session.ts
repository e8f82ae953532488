import { createRequire } from 'node:module';
import type * as Pkcs11Js from 'pkcs11js';
import { Pkcs11Fault, type Pkcs11Mechanisms, type Pkcs11ThreadOptions } from './pkcs11-port';

export type Pkcs11Module = typeof Pkcs11Js;
export type Handle = Pkcs11Js.Handle;

const RETURN_VALUE = /\b(CKR_\w+)/;
/** The session is no more, and nothing has been done; a new one may serve. */
const LOST_SESSION: ReadonlySet<string> = new Set([
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_SESSION_CLOSED',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_DEVICE_REMOVED',
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_TOKEN_NOT_RECOGNIZED',
  'CKR_CRYPTOKI_NOT_INITIALIZED',
  'CKR_OPERATION_ACTIVE',
  'CKR_OPERATION_NOT_INITIALIZED',
]);
const STALE_HANDLE: ReadonlySet<string> = new Set(['CKR_KEY_HANDLE_INVALID', 'CKR_OBJECT_HANDLE_INVALID']);

/** An open session, with everything that calls need. */
export interface OpenSession {
  readonly js: Pkcs11Module;
  readonly library: Pkcs11Js.PKCS11;
  readonly handle: Handle;
}

/**
 * The PKCS#11 library with one session, logged in once. All calls are synchronous, so this lives in a thread of its own.
 *
 * Library and login are shared by the whole process: other threads may use the same token, so being logged in already is
 * as good as logging in, and the library is finalized only to start it anew when no thread is in it.
 */
export class Pkcs11Session {
  private loaded: { readonly js: Pkcs11Module; readonly library: Pkcs11Js.PKCS11 } | undefined;
  private open: OpenSession | undefined;
  private pinChecked = true;

  /** @param onLost called when handles of the session must be forgotten */
  constructor(
    private readonly options: Pkcs11ThreadOptions,
    private readonly onLost: () => void,
  ) {}

  /** Loads the library. @throws Pkcs11Fault `module`, `library`, or a return value */
  describeLibrary(): string {
    const { manufacturerID, libraryDescription, libraryVersion } = this.load().library.C_GetInfo();
    const version = `${libraryVersion.major}.${libraryVersion.minor}`;
    return `${manufacturerID.trim()} ${libraryDescription.trim()} ${version}`.replace(/\s+/g, ' ').trim();
  }

  /** Finds the token. @throws Pkcs11Fault `no-token`, or a return value */
  describeToken(): string {
    const { library } = this.load();
    const { label, model } = library.C_GetTokenInfo(this.findSlot());
    return `${label.trim()} (${model.trim()})`;
  }

  /** Logs in. @returns whether the PIN was looked at */
  login(): boolean {
    this.session();
    return this.pinChecked;
  }

  mechanisms(): Pkcs11Mechanisms {
    const { js } = this.load();
    const has = (flags: number, wanted: number): boolean => (flags & wanted) === wanted;
    return {
      wraps: has(this.mechanismFlags(js.CKM_AES_GCM), js.CKF_ENCRYPT | js.CKF_DECRYPT),
      makesKeys: has(this.mechanismFlags(js.CKM_AES_KEY_GEN), js.CKF_GENERATE),
    };
  }

  /** Does something in a session, once more in a new one when the session or a handle turns out to be lost. */
  run<T>(work: (session: OpenSession) => T): T {
    try {
      return work(this.session());
    } catch (error) {
      const { reason } = pkcs11Fault(error);
      if (LOST_SESSION.has(reason)) {
        this.close();
      } else if (!STALE_HANDLE.has(reason)) {
        throw error;
      }
      this.onLost();
      return work(this.session());
    }
  }

  /** @throws Pkcs11Fault `library`, or a return value */
  restartLibrary(): void {
    const { js, library } = this.load();
    this.open = undefined;
    library.C_Finalize();
    initialize(js, library);
  }

  close(): void {
    const open = this.open;
    this.open = undefined;
    try {
      open?.library.C_CloseSession(open.handle);
    } catch {
      // It was lost already.
    }
  }

  private mechanismFlags(mechanism: number): number {
    try {
      return this.load().library.C_GetMechanismInfo(this.findSlot(), mechanism).flags;
    } catch (error) {
      if (pkcs11Fault(error).reason === 'CKR_MECHANISM_INVALID') {
        return 0;
      }
      throw error;
    }
  }

  private session(): OpenSession {
    this.open ??= this.openSession();
    return this.open;
  }

  private openSession(): OpenSession {
    const { js, library } = this.load();
    const slot = this.findSlot();
    const { flags } = library.C_GetTokenInfo(slot);
    // The last attempt before the token locks itself is not ours to spend.
    if ((flags & (js.CKF_USER_PIN_LOCKED | js.CKF_USER_PIN_FINAL_TRY)) !== 0) {
      throw new Pkcs11Fault((flags & js.CKF_USER_PIN_LOCKED) !== 0 ? 'pin-locked' : 'pin-final-try');
    }
    const handle = library.C_OpenSession(slot, js.CKF_SERIAL_SESSION | js.CKF_RW_SESSION);
    try {
      library.C_Login(handle, js.CKU_USER, this.options.pin);
      this.pinChecked = true;
    } catch (error) {
      if (pkcs11Fault(error).reason !== 'CKR_USER_ALREADY_LOGGED_IN') {
        library.C_CloseSession(handle);
        throw error;
      }
      this.pinChecked = false;
    }
    return { js, library, handle };
  }

  private findSlot(): Handle {
    const { library } = this.load();
    const { slot, tokenLabel } = this.options;
    const found = library
      .C_GetSlotList(true)
      .filter((each) =>
        slot === undefined ? library.C_GetTokenInfo(each).label.trim() === tokenLabel : numberOf(each) === slot,
      );
    if (found.length > 1) {
      throw new Pkcs11Fault('many-tokens');
    }
    const only = found[0];
    if (!only) {
      throw new Pkcs11Fault('no-token');
    }
    return only;
  }

  private load(): { readonly js: Pkcs11Module; readonly library: Pkcs11Js.PKCS11 } {
    if (!this.loaded) {
      const js = loadModule();
      const library = new js.PKCS11();
      try {
        library.load(this.options.library);
      } catch (error) {
        throw new Pkcs11Fault('library', error instanceof Error ? error.message : undefined);
      }
      initialize(js, library);
      this.loaded = { js, library };
    }
    return this.loaded;
  }
}

/** What a failure of the library amounts to. */
export function pkcs11Fault(error: unknown): Pkcs11Fault {
  if (error instanceof Pkcs11Fault) {
    return error;
  }
  const message = error instanceof Error ? error.message : '';
  return new Pkcs11Fault(RETURN_VALUE.exec(message)?.[1] ?? 'unknown', message);
}

/** A CK_ULONG in the byte order of this machine's processors; handles and lengths are far below 2^48. */
export function numberOf(value: Buffer): number {
  return value.readUIntLE(0, Math.min(value.length, 6));
}

function loadModule(): Pkcs11Module {
  try {
    return createRequire(__filename)('pkcs11js') as Pkcs11Module;
  } catch {
    throw new Pkcs11Fault('module');
  }
}

function initialize(js: Pkcs11Module, library: Pkcs11Js.PKCS11): void {
  try {
    library.C_Initialize({ flags: js.CKF_OS_LOCKING_OK });
  } catch (error) {
    if (pkcs11Fault(error).reason !== 'CKR_CRYPTOKI_ALREADY_INITIALIZED') {
      throw error;
    }
  }
}
