import { describe, expect, it } from 'vitest'
import { Failure } from '../base/failure.ts'
import { Privacy } from '../chat/privacy/privacy.ts'
import { SealKeeper } from '../chat/privacy/seal-keeper.ts'
import { openChat, Reader, settled, testKey } from '../chat/testing/open-chat.ts'
import type { Devices } from '../devices/devices.ts'
import { connectionName } from '../devices/host-link.ts'
import { fingerprintOf } from '../devices/six-words.ts'
import { linkUp, newInstall, pairInstalls, type StagedInstall, soon } from '../devices/testing/stage.ts'
import { shippedCatalog } from '../models/catalog.ts'
import { devicesChecker } from './checks/devices-checker.ts'
import { devicesBackend } from './devices-backend.ts'
import { devicesState } from './devices-view.ts'

const never = new AbortController().signal

async function twoInstalls(): Promise<{ host: StagedInstall; guest: StagedInstall }> {
  return { host: await newInstall('Gaming PC'), guest: await newInstall('Laptop') }
}

/** Chats of a guest, with the real seal of the level. */
function openLevel(devices: Devices, now: () => number = Date.now) {
  const backend = devicesBackend(devices)
  const checker = devicesChecker({ devices, catalog: shippedCatalog(), now })
  const keeper = new SealKeeper({ checker })
  const privacy = new Privacy({ keepers: [keeper] })
  const { chat } = openChat([backend], undefined, testKey, privacy)
  return { backend, checker, keeper, chat }
}

const resultsOf = async (checker: ReturnType<typeof devicesChecker>): Promise<Record<string, string>> => {
  const { rows } = await checker.check(checker.connection.value ?? '', never)
  return Object.fromEntries(rows.map(({ id, result }) => [id, result]))
}

describe('the level Your devices', () => {
  it('is not there without a paired computer', async () => {
    const { devices } = await newInstall('Laptop')
    const { backend, checker } = openLevel(devices)
    expect(backend.state.value).toMatchObject({ state: 'unavailable', reasonWords: { code: 'level-no-device' } })
    expect(checker.connection.value).toBeNull()
  })

  it('earns its seal by the pinned key and a fresh handshake, and is answered there', async () => {
    const { host, guest } = await twoInstalls()
    const { backend, checker, chat, keeper } = openLevel(guest.devices)
    await pairInstalls(host, guest)
    await linkUp(guest)
    await soon(() =>
      expect(backend.state.value).toEqual({
        level: 'devices',
        state: 'ready',
        model: 'tiny',
        device: { name: 'Gaming PC', pairedAtMs: guest.devices.book.devices.value[0]?.pairedAtMs },
      }),
    )
    const { id } = chat.create({ level: 'devices' })
    const reader = new Reader(chat, id)
    await chat.send({ id, text: 'Good morning?' })
    expect(await settled(reader)).toMatchObject({
      status: 'done',
      level: 'devices',
      answer: 'Good morning.',
      usage: { completionTokens: 4 },
    })
    expect(host.engine.asked).toHaveLength(1)
    expect(keeper.state.value.phase).toBe('earned')

    const { rows, evidence } = await checker.check(checker.connection.value ?? '', never)
    expect(Object.fromEntries(rows.map(({ id, result }) => [id, result]))).toEqual({
      'device-key': 'passed',
      handshake: 'passed',
      direct: 'passed',
      'device-model': 'not-checked',
    })
    const words = fingerprintOf(host.devices.identity.publicKey)
    expect(rows[0]?.sentence.text).toContain(words)
    expect(evidence.map(({ value }) => value)).toContain(Buffer.from(host.devices.identity.publicKey).toString('hex'))
    expect(devicesState(guest.devices).devices).toMatchObject([
      { role: 'host', name: 'Gaming PC', fingerprint: words, connected: true, chosen: true },
    ])
  })

  it('loses its seal with the connection, and another model is another check', async () => {
    const { host, guest } = await twoInstalls()
    const { checker, keeper, backend } = openLevel(guest.devices)
    await pairInstalls(host, guest)
    await linkUp(guest)
    const first = checker.connection.value
    keeper.checkAgain()
    await soon(() => expect(keeper.state.value.phase).toBe('earned'))
    const model = { name: 'other', sha256: 'cd'.repeat(32), contextTokens: 512 }
    host.engine.state.set({ engine: 'ready', model, models: [] })
    await soon(() => expect(checker.connection.value).not.toBe(first))
    await expect(checker.check(first ?? '', never)).rejects.toThrow(Failure)
    host.engine.state.set({ engine: 'unavailable', models: [] })
    await soon(() =>
      expect(backend.state.value).toMatchObject({ state: 'unavailable', reasonWords: { code: 'device-no-model' } }),
    )
    await host.devices.stop()
    await soon(() => expect(checker.connection.value).toBeNull())
    expect(keeper.state.value.phase).toBe('idle')
  })

  it('after 24 hours the handshake is not fresh any more: nothing passes, and new keys are agreed', async () => {
    const { host, guest } = await twoInstalls()
    let later = 0
    const { checker } = openLevel(guest.devices, () => Date.now() + later)
    await pairInstalls(host, guest)
    await linkUp(guest)
    later = 86_400_000 - 5_000
    expect(await resultsOf(checker)).toMatchObject({ handshake: 'passed' })
    later = 86_400_000
    const old = checker.connection.value
    expect(await resultsOf(checker)).toMatchObject({ handshake: 'failed' })
    later = 0
    await soon(() => expect(checker.connection.value ?? old).not.toBe(old))
    expect(await resultsOf(checker)).toMatchObject({ handshake: 'passed' })
  })

  it('a removed device is refused with the reason, and its message never leaves', async () => {
    const { host, guest } = await twoInstalls()
    const { backend, chat } = openLevel(guest.devices)
    await pairInstalls(host, guest)
    await linkUp(guest)
    const { id } = chat.create({ level: 'devices' })
    host.devices.remove(devicesState(host.devices).devices[0]?.id ?? '')
    await soon(() => expect(backend.state.value.state).toBe('unavailable'))
    await expect(chat.send({ id, text: 'CANARY' })).rejects.toMatchObject({
      code: 'not-ready',
      words: { code: 'device-removed' },
    })
    expect(host.engine.asked).toEqual([])
    expect(devicesState(host.devices).devices).toEqual([])
    expect(devicesState(guest.devices).devices).toMatchObject([{ connected: false, problemWords: { code: 'device-removed' } }])
  })

  it('a message that waits for the check of one computer never goes to another one', async () => {
    const { host, guest } = await twoInstalls()
    const other = await newInstall('Other PC')
    await pairInstalls(other, guest)
    await pairInstalls(host, guest)
    await linkUp(guest)
    const { chosen, book } = guest.devices
    const backend = devicesBackend(guest.devices)
    const checker = devicesChecker({ devices: guest.devices, catalog: shippedCatalog() })
    const go = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow: typeof checker = {
      ...checker,
      check: async (...asked) => {
        begun.resolve()
        await go.promise
        return checker.check(...asked)
      },
    }
    const { chat } = openChat([backend], undefined, testKey, new Privacy({ keepers: [new SealKeeper({ checker: slow })] }))
    const { id } = chat.create({ level: 'devices' })
    const sent = chat.send({ id, text: 'CANARY' })
    const refused = expect(sent).rejects.toMatchObject({ code: 'not-ready', words: { code: 'seal-no-connection' } })
    await begun.promise
    const idOf = (name: string): string => book.devices.value.find((device) => device.name === name)?.id ?? ''
    guest.devices.choose(idOf('Other PC'))
    await linkUp(guest)
    go.resolve()
    await refused
    expect([...host.engine.asked, ...other.engine.asked]).toEqual([])

    // The person chooses the next one, not the app.
    guest.devices.remove(idOf('Other PC'))
    expect(chosen.value).toBeNull()
    expect(backend.state.value).toMatchObject({ state: 'unavailable', reasonWords: { code: 'level-none-chosen' } })
    guest.devices.choose(idOf('Gaming PC'))
    await linkUp(guest)
    guest.devices.remove(idOf('Gaming PC'))
    expect(backend.state.value).toMatchObject({ reasonWords: { code: 'level-no-device' } })
  })

  it('sends nothing when the gate names another connection, or refuses', async () => {
    const { host, guest } = await twoInstalls()
    const { backend } = openLevel(guest.devices)
    await pairInstalls(host, guest)
    await linkUp(guest)
    const ask = async (gate: Parameters<typeof backend.answer>[2]): Promise<unknown> => {
      try {
        for await (const event of backend.answer([{ role: 'user', content: 'CANARY' }], never, gate, 'a chat')) return event
      } catch (thrown) {
        return thrown
      }
    }
    expect(await ask(async () => ({ level: 'devices', connection: 'another' }))).toMatchObject({
      code: 'device-silent',
      money: 'You paid nothing.',
    })
    const refusal = new Failure('not-verified', 'The check failed.')
    expect(await ask(() => Promise.reject(refusal))).toMatchObject({ code: 'not-verified' })
    // Whatever had left would have come before the next one that may.
    const connection = connectionName(guest.devices.chosen.value?.link.state.value) ?? ''
    expect(await ask(async () => ({ level: 'devices', connection }))).toEqual({ type: 'text', text: 'Good' })
    expect(host.engine.asked).toHaveLength(1)
  })

  it('shows an open code as words, text and picture, and how a pairing ended', async () => {
    const { host, guest } = await twoInstalls()
    await host.devices.openCode()
    const { code } = devicesState(host.devices)
    expect(code?.text).toBe(
      `cocoon-pair:1?w=${code?.words.replaceAll(' ', '-')}&a=${devicesState(host.devices).addresses.join(',')}`,
    )
    expect(code?.qr.every((row) => row.length === code.qr.length)).toBe(true)
    expect(devicesState(host.devices).code?.qr).toBe(code?.qr)
    await pairInstalls(host, guest)
    expect(devicesState(guest.devices).outcome).toEqual({ result: 'paired', role: 'host', name: 'Gaming PC' })
    await soon(() => expect(devicesState(host.devices).outcome).toEqual({ result: 'paired', role: 'guest', name: 'Laptop' }))
    expect(devicesState(host.devices).code).toBeUndefined()
  })
})
