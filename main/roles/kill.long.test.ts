import { describe, expect, it } from 'vitest'
import { killLoop } from './testing/kill-loop.ts'

const kills = Number(process.env.KILLS ?? 200)
/** Another one each time; the run that fails is told, and comes again with KILL_SEED. */
const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000)

describe('client, worker and proxy that are killed at any moment, for long', () => {
  it(`agree with the chain to the token after ${kills} kills under load (seed ${seed})`, async () => {
    const { broken, journal, ...figures } = await killLoop({ kills, seed, inFlight: 12 })
    process.stdout.write(
      `${JSON.stringify({ seed, ...figures }, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`,
    )
    expect(broken, [`seed ${seed}`, ...journal].join('\n')).toEqual([])
    expect(Math.min(...Object.values(figures.kills))).toBeGreaterThan(kills / 6)
  })
})
