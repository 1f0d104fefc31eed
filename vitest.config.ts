import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{main,preload,contracts,renderer,scripts}/**/*.test.{ts,tsx}'],
    exclude: ['**/*.long.test.ts', '**/node_modules/**'],
    // The engine and the TVM emulator are real here; two cores shared by several such files need room.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // What is waited for comes late on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    // For the programs that tests start from their sources: compiled once, each start takes half the time. (The tests' own processes do not use it: a
    // thread that is out of memory then ends its whole process now and then.)
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compiled') },
    // Many of them wait for processes and clocks: a third one uses what two leave of two cores.
    maxWorkers: 3,
  },
})
