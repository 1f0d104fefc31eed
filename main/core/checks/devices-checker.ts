import { Failure } from '../../base/failure.ts'
import { Signal } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { ChosenHost, Devices } from '../../devices/devices.ts'
import { connectionName } from '../../devices/host-link.ts'
import { dayMs } from '../../devices/host-times.ts'
import { fingerprintOf } from '../../devices/six-words.ts'
import type { CatalogEntry } from '../../models/catalog.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'

interface DevicesCheckerOptions {
  readonly devices: Devices
  readonly catalog: readonly CatalogEntry[]
  /** Unix time in ms. */
  readonly now?: () => number
}

/** Level 2: the standing connection to the chosen computer. Its keys were agreed with the key that the user paired, or it would not stand. */
export function devicesChecker({ devices, catalog, now = Date.now }: DevicesCheckerOptions): LevelChecker {
  const name = (): string | null => connectionName(devices.chosen.value?.link.state.value)
  const connection = new Signal(name())
  devices.onLink(() => connection.set(name()))
  return {
    level: 'devices',
    connection,
    check: async (wanted) => {
      const chosen = devices.chosen.value
      if (!chosen || connection.value !== wanted) throw lost()
      return findings(chosen, catalog, now())
    },
  }
}

const lost = (): Failure => new Failure('connection-lost', 'The connection ended while it was checked.', { retryable: true })

const statements = {
  key: said('The computer has the key that you paired', { code: 'check-device-key' }),
  handshake: said('Keys for this connection are fresh', { code: 'check-handshake' }),
  direct: said('The connection is direct', { code: 'check-direct' }),
  model: said('The model and its file', { code: 'check-device-model' }),
} as const

function findings({ device, link }: ChosenHost, catalog: readonly CatalogEntry[], nowMs: number): Findings {
  const state = link.state.value
  if (state.status !== 'up') throw lost()
  const { address, handshakeAtMs, host } = state
  const words = fingerprintOf(device.key)
  const fresh = nowMs - handshakeAtMs < dayMs && nowMs >= handshakeAtMs - 60_000
  // A clock that was set, or a computer that slept: the next connection has a time of its own.
  if (!fresh) link.renew()
  const time = new Date(handshakeAtMs).toISOString()
  const { model } = host
  const known = model && catalog.some(({ sources }) => sources.some(({ sha256 }) => sha256 === model.sha256))
  return {
    rows: [
      passed(
        'device-key',
        'here',
        statements.key,
        said(`${device.name}: ${words}. TLS 1.3, and no other key is let in.`, {
          code: 'check-device-key-pinned',
          values: { name: device.name, words },
        }),
      ),
      fresh
        ? passed(
            'handshake',
            'here',
            statements.handshake,
            said(`Agreed at ${time}, less than 24 hours ago. Each question agrees on keys of its own with the same pinned key.`, {
              code: 'check-handshake-fresh',
              values: { atMs: handshakeAtMs },
            }),
          )
        : rowFailed(
            'handshake',
            statements.handshake,
            said(`Agreed at ${time}, more than 24 hours ago. New keys are being agreed.`, { code: 'check-handshake-old' }),
          ),
      passed(
        'direct',
        'version',
        statements.direct,
        said(`To ${address}. This version has no relay.`, { code: 'check-direct-address', values: { address } }),
      ),
      notChecked(
        'device-model',
        statements.model,
        model === undefined
          ? said('The computer did not tell a model yet.', { code: 'check-device-model-unknown' })
          : known
            ? said(
                `${model.name}, says the computer. The hash that it tells is in the catalogue; its file cannot be checked from here.`,
                {
                  code: 'check-device-model-catalog',
                  values: { model: model.name },
                },
              )
            : said(`${model.name}, says the computer. The hash that it tells is not in the catalogue.`, {
                code: 'check-device-model-own',
                values: { model: model.name },
              }),
      ),
    ],
    evidence: [
      evidence('device', 'text', said('Device', { code: 'evidence-device' }), device.name),
      evidence('fingerprint', 'text', said('Fingerprint', { code: 'evidence-fingerprint' }), words),
      evidence(
        'device-key',
        'hash',
        said('Pinned key', { code: 'evidence-device-key' }),
        Buffer.from(device.key).toString('hex'),
      ),
      evidence('paired-at', 'text', said('Paired at', { code: 'evidence-paired-at' }), new Date(device.pairedAtMs).toISOString()),
      evidence('handshake-at', 'text', said('Keys agreed at', { code: 'evidence-handshake-at' }), time),
      evidence('address', 'mono', said('Address', { code: 'evidence-address' }), address),
      ...(model
        ? [
            evidence('model', 'text', said('Model', { code: 'evidence-model' }), model.name),
            evidence('model-hash', 'hash', said('SHA-256 of the file', { code: 'evidence-model-hash' }), model.sha256),
          ]
        : []),
    ],
  }
}
