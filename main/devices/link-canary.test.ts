import { expect, it, onTestFinished } from 'vitest'
import { Failure } from '../base/failure.ts'
import { canaryBelow, newCanary, spelledIn } from '../base/testing/canary.ts'
import { recordingPort } from '../protocol/sealed/testing/recording-port.ts'
import { linkUp, newInstall, pairInstalls } from './testing/stage.ts'

it('what a paired device asks and is answered stands on the wire, in the logs and in the stores of both in no spelling', async () => {
  const host = await newInstall('Gaming PC')
  const guest = await newInstall('Laptop')
  await pairInstalls(host, guest)
  // The same computer by a way on which everything that passes is written down.
  const known = guest.devices.book.devices.value[0] ?? expect.fail('nothing is paired')
  const way = await recordingPort(host.devices.book.own.value.port)
  onTestFinished(() => way.close())
  guest.devices.remove(known.id)
  const { key, name } = known
  guest.devices.choose(guest.devices.book.pair({ role: 'host', key, name, addresses: [`127.0.0.1:${way.port}`] }).id)
  await linkUp(guest)
  const link = guest.devices.chosen.value?.link ?? expect.fail('no computer is chosen')

  const [asked, answered, failed] = [newCanary(), newCanary(), newCanary()]
  const ask = async (): Promise<string> => {
    let text = ''
    const messages = [{ role: 'user', content: `Please say "${asked}"\n` }] as const
    for await (const event of link.ask(messages, {}, new AbortController().signal)) if (event.type === 'text') text += event.text
    return text
  }
  const before = way.bytes()
  host.engine.words = ['Here: ', answered, '.']
  expect(await ask()).toContain(answered)
  expect(JSON.stringify(host.engine.asked)).toContain(asked)
  host.engine.fails = new Failure('engine-crashed', `It died at ${failed}`)
  const failure = await ask().catch((thrown: unknown) => thrown)
  expect(failure).toMatchObject({ code: 'device-engine' })

  const { there, back } = way.bytes()
  // All of it went by that way.
  expect(there.length - before.there.length).toBeGreaterThan(2 * asked.length)
  expect(back.length - before.back.length).toBeGreaterThan(answered.length)
  const logs = Buffer.from([...host.log, ...guest.log].join('\n'))
  expect(logs.length).toBeGreaterThan(0)
  await host.devices.stop()
  await guest.devices.stop()
  for (const canary of [asked, answered, failed]) {
    for (const bytes of [there, back, logs, Buffer.from(String(failure))]) expect(spelledIn(bytes, canary)).toEqual([])
    for (const { folder } of [host, guest]) {
      const kept = canaryBelow(folder, canary)
      expect(kept.files).toBeGreaterThan(1)
      expect(kept.found).toEqual([])
    }
  }
})
