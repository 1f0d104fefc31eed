import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{main,contracts}/**/*.long.test.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 300_000,
    // What is waited for comes late on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 1,
  },
})
