const LIMIT_MS = 20_000;
const STEP_MS = 20;

/** Repeats an expectation until it holds; after the limit its last failure is the test's. */
export async function eventually(expectation: () => void | Promise<void>, limitMs = LIMIT_MS): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    try {
      await expectation();
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
  }
}
