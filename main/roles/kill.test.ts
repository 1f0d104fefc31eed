import { describe, expect, it } from 'vitest'
import { killLoop } from './testing/kill-loop.ts'

const kills = 10
const seed = Number(process.env.KILL_SEED ?? 20_261)

/** Every kill is a start of a process; on a machine that is busy with other tests that takes its time. */
const limitMs = 400_000

describe('client, worker and proxy that are killed at any moment', () => {
  it(
    `agree with the chain to the token after ${kills} kills under load (seed ${seed})`,
    async () => {
      const report = await killLoop({ kills, seed, inFlight: 4 })
      const { broken, journal, ...figures } = report
      process.stdout.write(
        `${JSON.stringify({ seed, ...figures }, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`,
      )
      expect(broken, [`seed ${seed}`, ...journal].join('\n')).toEqual([])
      expect(Math.min(...Object.values(figures.kills))).toBeGreaterThan(1)
      expect(figures.whole).toBeGreaterThan(100)
    },
    limitMs,
  )
})
