import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const tests = '**/*.test.{ts,tsx}'
/** Tests of these start programs and engines, or change what their whole process shares: each file gets a process of its own. */
const apart = [
  'main/*.test.ts',
  ...['core', 'desktop', 'devices', 'hardware', 'headless', 'inference', 'models'].map((room) => `main/${room}/${tests}`),
]

export default defineConfig({
  test: {
    // The engine and the TVM emulator are real here; two cores shared by several such files need room.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // What is waited for comes late on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    // For the programs that tests start from their sources: compiled once, each start takes half the time. (The tests' own processes do not use it: a
    // thread that is out of memory then ends its whole process now and then.)
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compiled') },
    // Many of them wait for processes and clocks: a third one uses what two leave of two cores.
    maxWorkers: 3,
    projects: [
      {
        extends: true,
        test: {
          name: 'apart',
          include: [...apart, `scripts/${tests}`],
          exclude: ['**/*.long.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: [`{main,preload,contracts,renderer}/${tests}`],
          exclude: ['**/*.long.test.ts', ...apart],
          // Half of the time of a short file is the loading of its libraries, the emulator among them.
          isolate: false,
        },
      },
    ],
  },
})
