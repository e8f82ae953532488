import { registerDecorator } from 'class-validator';

const MOST_TAGS = 50;
const LONGEST_NAME = 128;
const LONGEST_VALUE = 256;

/** Tags as AWS KMS bounds them: 50 of them, names of 128 and values of 256 characters. @param removable null stands for a tag to remove */
export function IsTags({ removable = false } = {}): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isTags',
      target: target.constructor,
      propertyName: String(property),
      options: { message: `${String(property)} must be an object of at most ${MOST_TAGS} short texts` },
      validator: { validate: (value: unknown) => isTags(value, removable) },
    });
  };
}

function isTags(value: unknown, removable: boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const tags = Object.entries(value);
  return (
    tags.length <= MOST_TAGS &&
    tags.every(
      ([name, text]) => name !== '' && name.length <= LONGEST_NAME && (isShort(text) || (removable && text === null)),
    )
  );
}

function isShort(text: unknown): boolean {
  return typeof text === 'string' && text.length <= LONGEST_VALUE;
}
