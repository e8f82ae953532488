const swc = require('@swc/jest');

/** Statements of ES modules and dynamic imports, neither of which Jest can run as they are; prose that matches does no harm. */
const MODULE_SYNTAX = /\b(import|export)\b/;

/** Transforms the files of installed packages that need it, and leaves the others as they are, which is most of them. */
module.exports = {
  createTransformer(/** @type {object} */ options) {
    const transformer = swc.createTransformer(options);
    return {
      ...transformer,
      process: (source, path, jest) =>
        MODULE_SYNTAX.test(source) ? transformer.process(source, path, jest) : { code: source },
    };
  },
};
