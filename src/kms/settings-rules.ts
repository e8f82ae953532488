import { isURL, registerDecorator, type ValidationOptions } from 'class-validator';
import { parseDuration } from '../settings/units';
import { splitEndpoints } from './providers/endpoint-list';

const MIN_TIMEOUT = 100;
const MAX_TIMEOUT = 300_000;

function rule(name: string, options: ValidationOptions, validate: (value: unknown) => boolean): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: String(property),
      options,
      validator: { validate },
    });
  };
}

/** A duration that is sensible for one attempt at a call. */
export function IsAttemptTime(): PropertyDecorator {
  return rule('isAttemptTime', { message: 'timeout must be a duration from 100ms to 5m' }, (value) => {
    const milliseconds = parseDuration(String(value));
    return milliseconds !== undefined && milliseconds >= MIN_TIMEOUT && milliseconds <= MAX_TIMEOUT;
  });
}

/** One address or several of one cluster, separated by commas. */
export function IsEndpointList(protocols: readonly string[], message: string): PropertyDecorator {
  return rule('isEndpointList', { message }, (value) => {
    const endpoints = typeof value === 'string' ? splitEndpoints(value) : [];
    return endpoints.length > 0 && endpoints.length <= 16 && endpoints.every((each) => isEndpoint(each, protocols));
  });
}

function isEndpoint(text: string, protocols: readonly string[]): boolean {
  return isURL(text, {
    protocols: [...protocols],
    require_protocol: true,
    require_tld: false,
    disallow_auth: true,
    allow_query_components: false,
    allow_fragments: false,
  });
}
