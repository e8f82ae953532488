import { ValidateBy } from 'class-validator';

/** Class-validator decorator: the property is a string that the rule accepts. */
export function MatchesRule(rule: (text: string) => boolean): PropertyDecorator {
  return ValidateBy({
    name: 'matchesRule',
    validator: { validate: (value: unknown) => typeof value === 'string' && rule(value) },
  });
}
