import { expect, it, onTestFinished } from 'vitest'
import { pause } from '../base/pause.ts'
import { KillScene, roleNames } from './testing/kill-scene.ts'

/** A read of a chain that is gone is repeated after so long, half a minute in all: without an end of its own it holds up a role. */
const repeatingMs = 4_000
/** Half a minute is less than what a role may take on a slow machine, and more than the second that calls get. */
const mostMs = 10_000

it('client, worker and proxy whose chain is gone end in order, and soon', async () => {
  const scene = await KillScene.open()
  onTestFinished(() => scene.close())
  for (const role of roleNames) scene.start(role)
  for (const role of roleNames) await scene.up(role)
  await scene.endChain()
  await pause(repeatingMs)
  const ends = await Promise.all(
    roleNames.map(async (role) => {
      const before = performance.now()
      const code = await scene.stop(role)
      return { role, code, tookMs: performance.now() - before, said: scene.output(role) }
    }),
  )
  for (const { role, code, tookMs, said } of ends) {
    expect(code, `${role}: ${said}`).toBe(0)
    expect(tookMs, `${role}: ${said}`).toBeLessThan(mostMs)
  }
}, 200_000)
