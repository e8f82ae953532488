import { KmsError } from '../kms-error';

/** What {@link errorCode} says of an error that has none. */
export const NO_CODE = 'unknown reason';

const CERTIFICATE_CODES =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|ERR_SSL|EPROTO)/;

/** Failures before a byte of the request has left. */
const UNSENT_CODES = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;

/** Whether the request of a failed exchange has certainly not been seen by the server. */
export function isUnsent(error: unknown): boolean {
  const code = errorCode(error);
  return UNSENT_CODES.test(code) || CERTIFICATE_CODES.test(code);
}

/**
 * Translates a failure to get any answer.
 *
 * @param signal the call's own signal: when it was aborted, its reason is the failure
 */
export function transportError(kms: string, host: string, cause: unknown, signal: AbortSignal | undefined): KmsError {
  if (cause instanceof KmsError) {
    return cause;
  }
  if (signal?.aborted) {
    return signal.reason instanceof KmsError
      ? signal.reason
      : new KmsError('kms-timeout', `${kms} did not answer in time`, { cause: signal.reason });
  }
  const code = errorCode(cause);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    return new KmsError('kms-protocol', `${kms} sent more than it should`, { cause });
  }
  if (/TIMEOUT|ETIMEDOUT/.test(code)) {
    return new KmsError('kms-timeout', `${kms} at ${host} did not answer in time (${code})`, { cause });
  }
  if (CERTIFICATE_CODES.test(code)) {
    return new KmsError('kms-unavailable', `${kms} at ${host} has no acceptable TLS connection (${code})`, {
      cause,
      remedy:
        'Set ca_file or ca_pem to the authority that signed its certificate, or tls_server_name to the name in it.',
    });
  }
  return new KmsError('kms-unavailable', `${kms} at ${host} cannot be reached (${code})`, { cause });
}

/** The code of an error or of what caused it, such as ECONNREFUSED. */
export function errorCode(error: unknown): string {
  for (let current = error; typeof current === 'object' && current !== null;) {
    const { code, cause } = current as { code?: unknown; cause?: unknown };
    if (typeof code === 'string') {
      return code;
    }
    current = cause;
  }
  return NO_CODE;
}
