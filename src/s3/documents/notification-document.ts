import { randomUUID } from 'node:crypto';
import { EVENT_TYPES, type NotificationRule, overlap } from '../../notifications/notification-rules';
import { invalidArgument, S3Error } from '../s3-error';
import type { XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_RULES = 100;
const MAX_ID_LENGTH = 255;
const MAX_VALUE_BYTES = 1024;

/** The element of each kind of configuration, and the element in it that names the target; the second one is older. */
const FORMS: Readonly<Record<NotificationRule['kind'], { readonly name: string; readonly arns: readonly string[] }>> = {
  topic: { name: 'TopicConfiguration', arns: ['Topic'] },
  queue: { name: 'QueueConfiguration', arns: ['Queue'] },
  function: { name: 'CloudFunctionConfiguration', arns: ['CloudFunction', 'LambdaFunctionArn'] },
};
const KINDS = Object.keys(FORMS) as NotificationRule['kind'][];

/**
 * Reads a NotificationConfiguration; whether the targets exist is for the caller to find out.
 * @throws S3Error MalformedXML, InvalidArgument, NotImplemented
 */
export function readNotifications(configuration: XmlElement): NotificationRule[] {
  if (configuration.child('EventBridgeConfiguration') !== undefined) {
    throw new S3Error('NotImplemented', 'There is no EventBridge here; configure a webhook.');
  }
  const rules = KINDS.flatMap((kind) => configuration.all(FORMS[kind].name).map((each) => readRule(kind, each)));
  if (rules.length !== configuration.children.length || rules.length > MAX_RULES) {
    throw new S3Error('MalformedXML');
  }
  if (new Set(rules.map(({ id }) => id)).size !== rules.length) {
    throw new S3Error('InvalidArgument', 'Same ID used for multiple configurations. IDs must be unique');
  }
  rules.forEach((rule, index) => {
    if (rules.slice(0, index).some((other) => overlap(rule, other))) {
      throw new S3Error(
        'InvalidArgument',
        'Configurations overlap. Configurations on the same bucket cannot share a common event type.',
      );
    }
  });
  return rules;
}

/** Writes a NotificationConfiguration. */
export function notificationsXml(rules: readonly NotificationRule[]): string {
  return xmlDocument('NotificationConfiguration', rules.map(ruleXml).join(''));
}

function readRule(kind: NotificationRule['kind'], rule: XmlElement): NotificationRule {
  const id = rule.textOf('Id') || randomUUID();
  if (id.length > MAX_ID_LENGTH) {
    throw invalidArgument('ID length should not exceed allowed limit of 255', 'Id');
  }
  const arn = FORMS[kind].arns.map((name) => rule.textOf(name)).find((text) => text !== undefined);
  const events = [...rule.all('Event'), ...rule.all('Events')].map(({ text }) => text);
  if (arn === undefined || events.length === 0) {
    throw new S3Error('MalformedXML');
  }
  for (const event of events) {
    if (!EVENT_TYPES.has(event)) {
      throw invalidArgument('A specified event is not supported for notifications', 'Event', event);
    }
  }
  return { kind, id, arn, events: [...new Set(events)], ...readFilter(rule) };
}

function readFilter(rule: XmlElement): Pick<NotificationRule, 'prefix' | 'suffix'> {
  const read: { prefix?: string; suffix?: string } = {};
  for (const each of rule.child('Filter')?.child('S3Key')?.all('FilterRule') ?? []) {
    const name = each.required('Name').toLowerCase();
    const value = each.required('Value');
    if (name !== 'prefix' && name !== 'suffix') {
      throw invalidArgument('filter rule name must be either prefix or suffix', 'FilterRule.Name', name);
    }
    if (read[name] !== undefined) {
      throw invalidArgument(`Cannot specify more than one ${name} rule in a filter.`, 'FilterRule.Name', name);
    }
    if (Buffer.byteLength(value, 'utf8') > MAX_VALUE_BYTES) {
      throw invalidArgument(
        'Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation',
        'FilterRule.Value',
      );
    }
    read[name] = value;
  }
  return read;
}

function ruleXml({ kind, id, arn, events, prefix, suffix }: NotificationRule): string {
  const filters = Object.entries({ Prefix: prefix, Suffix: suffix }).map(([name, value]) =>
    value === undefined ? '' : element('FilterRule', textElement('Name', name) + textElement('Value', value)),
  );
  const filter = filters.join('');
  return element(
    FORMS[kind].name,
    textElement('Id', id) +
      textElement(FORMS[kind].arns[0] as string, arn) +
      events.map((event) => textElement('Event', event)).join('') +
      (filter === '' ? '' : element('Filter', element('S3Key', filter))),
  );
}
