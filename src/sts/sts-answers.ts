import type { IssuedSession } from '../identity/session.service';
import { element, textElement } from '../s3/xml-writer';
import type { StsErrorAnswer } from './sts-error';

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The answer to an action: `<ActionResponse><ActionResult>…` as AWS's query protocol has it. */
export function answerDocument(action: string, result: string, requestId: string): string {
  const metadata = element('ResponseMetadata', textElement('RequestId', requestId));
  return root(`${action}Response`, element(`${action}Result`, result) + metadata);
}

/** The answer to a refused or failed request. */
export function errorDocument({ code, status, message }: StsErrorAnswer, requestId: string): string {
  const type = status >= 500 ? 'Receiver' : 'Sender';
  const error = textElement('Type', type) + textElement('Code', code) + textElement('Message', message);
  return root('ErrorResponse', element('Error', error) + textElement('RequestId', requestId));
}

/** The one place where a secret leaves. */
export function credentialsElement(session: IssuedSession): string {
  return element(
    'Credentials',
    textElement('AccessKeyId', session.accessKeyId) +
      textElement('SecretAccessKey', session.secretKey.reveal()) +
      textElement('SessionToken', session.sessionToken.reveal()) +
      textElement('Expiration', session.expiresAt.toISOString().replace('.000Z', 'Z')),
  );
}

function root(name: string, content: string): string {
  return `${DECLARATION}<${name} xmlns="${NAMESPACE}">${content}</${name}>`;
}
