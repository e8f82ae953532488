import { randomUUID } from 'node:crypto';
import type { LifecycleFilter, LifecycleRule, LifecycleTransition } from '../../lifecycle/lifecycle-rules';
import { S3Error } from '../s3-error';
import type { XmlElement } from '../xml';
import { element, textElement, xmlDocument } from '../xml-writer';

const MAX_RULES = 1000;
const MAX_ID_LENGTH = 255;
const MAX_NEWER_VERSIONS = 100;
const MAX_PREFIX_LENGTH = 1024;
const MAX_TAG_KEY_LENGTH = 128;
const MAX_TAG_VALUE_LENGTH = 256;
/** The largest number of days that AWS takes. */
const MAX_DAYS = 2_147_483_647;
const CLASSES = new Set(['STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE']);
const ACTIONS = [
  'Expiration',
  'NoncurrentVersionExpiration',
  'AbortIncompleteMultipartUpload',
  'Transition',
  'NoncurrentVersionTransition',
];

/** Reads a LifecycleConfiguration. @throws S3Error MalformedXML, InvalidArgument, InvalidRequest */
export function readLifecycle(configuration: XmlElement): LifecycleRule[] {
  const rules = configuration.all('Rule').map(readRule);
  if (rules.length === 0 || rules.length > MAX_RULES) {
    throw new S3Error('MalformedXML');
  }
  if (new Set(rules.map(({ id }) => id)).size !== rules.length) {
    throw new S3Error('InvalidArgument', 'Rule ID must be unique. Found same ID for more than one rule');
  }
  return rules;
}

/** Writes a LifecycleConfiguration. */
export function lifecycleXml(rules: readonly LifecycleRule[]): string {
  return xmlDocument('LifecycleConfiguration', rules.map(ruleXml).join(''));
}

function readRule(rule: XmlElement): LifecycleRule {
  const id = rule.textOf('ID') || randomUUID();
  if (id.length > MAX_ID_LENGTH) {
    throw new S3Error('InvalidArgument', 'ID length should not exceed allowed limit of 255');
  }
  const status = rule.required('Status');
  if ((status !== 'Enabled' && status !== 'Disabled') || !ACTIONS.some((action) => rule.all(action).length > 0)) {
    throw new S3Error('MalformedXML');
  }
  const abort = rule.child('AbortIncompleteMultipartUpload');
  const noncurrent = rule.child('NoncurrentVersionExpiration');
  const written = readFilter(rule);
  const read: LifecycleRule = {
    id,
    enabled: status === 'Enabled',
    ...written,
    expiration: readExpiration(rule.child('Expiration')),
    noncurrentExpiration:
      noncurrent === undefined
        ? undefined
        : { days: days(noncurrent, 'NoncurrentDays'), newerVersions: newerVersions(noncurrent) },
    abortUploadsAfterDays: abort === undefined ? undefined : days(abort, 'DaysAfterInitiation'),
    transitions: rule.all('Transition').map((transition) => readTransition(transition, 'Days')),
    noncurrentTransitions: rule
      .all('NoncurrentVersionTransition')
      .map((transition) => readTransition(transition, 'NoncurrentDays')),
  };
  refuseFilters(read);
  refuseTransitions(read);
  return read;
}

/** Transitions of a rule go to different classes, and are told all by days or all by dates, as its expiration is. */
function refuseTransitions({ filter, expiration, transitions, noncurrentTransitions }: LifecycleRule): void {
  const ofRule = `prefix '${filter.prefix ?? ''}'`;
  for (const [name, all] of [
    ['Transition', transitions],
    ['NoncurrentVersionTransition', noncurrentTransitions],
  ] as const) {
    if (new Set(all.map(({ storageClass }) => storageClass)).size !== all.length) {
      throw new S3Error(
        'InvalidRequest',
        `'StorageClass' must be different for '${name}' actions in same 'Rule' with ${ofRule}`,
      );
    }
  }
  const byDate = new Set(transitions.map(({ date }) => date !== undefined));
  if (byDate.size > 1) {
    throw new S3Error(
      'InvalidRequest',
      `Found mixed 'Date' and 'Days' based Transition actions in lifecycle rule for ${ofRule}`,
    );
  }
  if (byDate.has(expiration?.days !== undefined) && (expiration?.days ?? expiration?.date) !== undefined) {
    throw new S3Error(
      'InvalidRequest',
      `Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for ${ofRule}`,
    );
  }
}

/** Uploads and delete markers have neither tags nor, as far as AWS lets rules see it, a size. */
function refuseFilters({ filter, expiration, abortUploadsAfterDays }: LifecycleRule): void {
  const ofUploads = abortUploadsAfterDays !== undefined;
  if (filter.tags !== undefined && (ofUploads || expiration?.expiredDeleteMarker === true)) {
    throw new S3Error('InvalidRequest', 'A filter by tags goes with neither of uploads and delete markers.');
  }
  if (ofUploads && (filter.sizeGreaterThan !== undefined || filter.sizeLessThan !== undefined)) {
    throw new S3Error('InvalidRequest', 'AbortIncompleteMultipartUpload cannot be specified with Object Size.');
  }
}

function readFilter(rule: XmlElement): Pick<LifecycleRule, 'form' | 'filter'> {
  const filter = rule.child('Filter');
  const prefix = rule.textOf('Prefix');
  if ((filter === undefined) === (prefix === undefined)) {
    throw new S3Error('MalformedXML');
  }
  if (filter === undefined) {
    return { form: 'prefix', filter: { prefix: shortEnough(prefix) } };
  }
  const and = filter.child('And');
  if (filter.children.length > 1 || (and !== undefined && and.children.length < 2)) {
    throw new S3Error('MalformedXML');
  }
  const terms = and ?? filter;
  const tags = terms.all('Tag').map((tag) => readTag(tag));
  if (new Set(tags.map(([key]) => key)).size !== tags.length) {
    throw new S3Error('InvalidRequest', 'Duplicate Tag Keys are not allowed.');
  }
  return {
    form: and === undefined ? 'filter' : 'and',
    filter: {
      prefix: shortEnough(terms.textOf('Prefix')),
      tags: tags.length === 0 ? undefined : Object.fromEntries(tags),
      sizeGreaterThan: optionalNumber(terms, 'ObjectSizeGreaterThan'),
      sizeLessThan: optionalNumber(terms, 'ObjectSizeLessThan'),
    },
  };
}

function shortEnough(prefix: string | undefined): string | undefined {
  if (prefix !== undefined && Buffer.byteLength(prefix) > MAX_PREFIX_LENGTH) {
    throw new S3Error('InvalidRequest', `The maximum size of a prefix is ${MAX_PREFIX_LENGTH}.`);
  }
  return prefix;
}

function readTag(tag: XmlElement): [key: string, value: string] {
  const [key, value] = [tag.required('Key'), tag.required('Value')];
  if (key === '' || key.length > MAX_TAG_KEY_LENGTH) {
    throw new S3Error('InvalidRequest', `A Tag's Key must be a length between 1 and ${MAX_TAG_KEY_LENGTH}.`);
  }
  if (value.length > MAX_TAG_VALUE_LENGTH) {
    throw new S3Error('InvalidRequest', `A Tag's Value must be a length between 0 and ${MAX_TAG_VALUE_LENGTH}.`);
  }
  return [key, value];
}

function readExpiration(expiration: XmlElement | undefined): LifecycleRule['expiration'] {
  if (expiration === undefined) {
    return undefined;
  }
  const marker = expiration.textOf('ExpiredObjectDeleteMarker');
  const date = expiration.textOf('Date');
  const hasDays = expiration.textOf('Days') !== undefined;
  if ([marker, date, hasDays ? '' : undefined].filter((value) => value !== undefined).length !== 1) {
    throw new S3Error('MalformedXML');
  }
  return {
    days: hasDays ? days(expiration, 'Days') : undefined,
    date: date === undefined ? undefined : midnight(date),
    expiredDeleteMarker: marker === undefined ? undefined : marker.toLowerCase() === 'true',
  };
}

function readTransition(transition: XmlElement, name: 'Days' | 'NoncurrentDays'): LifecycleTransition {
  const storageClass = transition.required('StorageClass');
  const date = name === 'Days' ? transition.textOf('Date') : undefined;
  if (!CLASSES.has(storageClass) || (date !== undefined && transition.textOf('Days') !== undefined)) {
    throw new S3Error('MalformedXML');
  }
  return {
    storageClass,
    days: date === undefined ? days(transition, name, 0) : undefined,
    date: date === undefined ? undefined : midnight(date),
    newerVersions: newerVersions(transition),
  };
}

function days(parent: XmlElement, name: string, least = 1): number {
  const value = optionalNumber(parent, name);
  if (value === undefined) {
    throw new S3Error('MalformedXML');
  }
  if (value > MAX_DAYS) {
    throw new S3Error('MalformedXML');
  }
  if (value < least) {
    throw new S3Error(
      'InvalidArgument',
      least === 0
        ? `'${name}' in ${parent.name} action must be nonnegative`
        : `'${name}' for ${parent.name} action must be a positive integer`,
    );
  }
  return value;
}

function newerVersions(parent: XmlElement): number | undefined {
  const value = optionalNumber(parent, 'NewerNoncurrentVersions');
  if (value !== undefined && (value < 1 || value > MAX_NEWER_VERSIONS)) {
    throw new S3Error('InvalidArgument', "'NewerNoncurrentVersions' must be between 1 and 100");
  }
  return value;
}

function optionalNumber(parent: XmlElement, name: string): number | undefined {
  const text = parent.textOf(name)?.trim();
  if (text === undefined) {
    return undefined;
  }
  if (!/^-?\d{1,15}$/.test(text)) {
    throw new S3Error('MalformedXML');
  }
  return Number(text);
}

function midnight(text: string): string {
  const date = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new S3Error('MalformedXML');
  }
  if (date.getTime() % 86_400_000 !== 0) {
    throw new S3Error('InvalidArgument', "'Date' must be at midnight GMT");
  }
  return date.toISOString();
}

function ruleXml(rule: LifecycleRule): string {
  const { expiration, noncurrentExpiration, abortUploadsAfterDays } = rule;
  let content =
    textElement('ID', rule.id) + filterXml(rule) + textElement('Status', rule.enabled ? 'Enabled' : 'Disabled');
  if (expiration !== undefined) {
    content += element(
      'Expiration',
      textElement('Days', expiration.days) +
        textElement('Date', expiration.date) +
        textElement('ExpiredObjectDeleteMarker', expiration.expiredDeleteMarker),
    );
  }
  content += rule.transitions.map((transition) => transitionXml('Transition', 'Days', transition)).join('');
  content += rule.noncurrentTransitions
    .map((transition) => transitionXml('NoncurrentVersionTransition', 'NoncurrentDays', transition))
    .join('');
  if (noncurrentExpiration !== undefined) {
    content += element(
      'NoncurrentVersionExpiration',
      textElement('NoncurrentDays', noncurrentExpiration.days) +
        textElement('NewerNoncurrentVersions', noncurrentExpiration.newerVersions),
    );
  }
  if (abortUploadsAfterDays !== undefined) {
    content += element('AbortIncompleteMultipartUpload', textElement('DaysAfterInitiation', abortUploadsAfterDays));
  }
  return element('Rule', content);
}

function transitionXml(name: string, daysName: string, transition: LifecycleTransition): string {
  return element(
    name,
    textElement(daysName, transition.days) +
      textElement('Date', transition.date) +
      textElement('StorageClass', transition.storageClass) +
      textElement('NewerNoncurrentVersions', transition.newerVersions),
  );
}

function filterXml({ form, filter }: LifecycleRule): string {
  const terms = filterTerms(filter);
  if (form === 'prefix') {
    return terms;
  }
  return element('Filter', form === 'and' ? element('And', terms) : terms);
}

function filterTerms(filter: LifecycleFilter): string {
  const tags = Object.entries(filter.tags ?? {}).map(([key, value]) =>
    element('Tag', textElement('Key', key) + textElement('Value', value)),
  );
  return (
    textElement('Prefix', filter.prefix) +
    tags.join('') +
    textElement('ObjectSizeGreaterThan', filter.sizeGreaterThan) +
    textElement('ObjectSizeLessThan', filter.sizeLessThan)
  );
}
