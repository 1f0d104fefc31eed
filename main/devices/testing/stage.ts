import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { createLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import type { ChatMessage, EngineEvent, GenerationOptions } from '../../inference/engine.ts'
import type { Identity } from '../../protocol/attestation/certificate.ts'
import { openDatabase } from '../../storage/database.ts'
import { createSealer } from '../../storage/sealer.ts'
import { openSecretStore } from '../../wallet/secret-store.ts'
import { deviceMigrations, openDeviceBook } from '../device-book.ts'
import { deviceIdentity } from '../device-identity.ts'
import { Devices, type DevicesOptions } from '../devices.ts'
import type { HostState } from '../link-messages.ts'
import type { SharedEngine } from '../shared-engine.ts'

const key = new Uint8Array(32).fill(7)

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'devices-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function newIdentity(folder: string = newFolder()): Promise<Identity> {
  return deviceIdentity(openSecretStore(join(folder, 'secrets.json'), key))
}

export const tinyModel = { name: 'tiny', sha256: 'ab'.repeat(32), contextTokens: 2048 }

/** Answers word by word, as the test says; keeps what it was asked. */
export class StagedEngine implements SharedEngine {
  readonly state = new Signal<HostState>({ engine: 'ready', model: tinyModel, models: [{ name: 'tiny', loaded: true }] })
  readonly asked: Array<{ messages: readonly ChatMessage[]; options: GenerationOptions }> = []
  /** How many answers were ended by their signal. */
  ended = 0
  running = 0
  words: readonly string[] = ['Good', ' morning', '.']
  /** After the words, the answer goes on until it is ended. */
  endless = false
  fails: Error | undefined

  async *chat(messages: readonly ChatMessage[], options: GenerationOptions, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    this.asked.push({ messages, options })
    this.running += 1
    try {
      if (this.fails) throw this.fails
      for (const text of this.words) yield { type: 'text', text, tokens: 1 }
      if (this.endless) {
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve()
          signal.addEventListener('abort', () => resolve())
        })
        this.ended += 1
      }
      const usage = { promptTokens: 5, cachedTokens: 0, completionTokens: this.words.length + 1, reasoningTokens: 0 }
      yield { type: 'done', reason: this.endless ? 'cancelled' : 'stop', usage }
    } finally {
      this.running -= 1
    }
  }
}

export interface StagedInstall {
  readonly devices: Devices
  readonly engine: StagedEngine
  readonly folder: string
  readonly log: string[]
}

/** A busy computer takes its time; what comes is seen at once. */
export const soon = <T>(look: () => T | Promise<T>): Promise<T> => vi.waitFor(look, { timeout: 60_000, interval: 20 })

/** One install with its own data folder and key, on loopback sockets. */
export async function newInstall(
  name: string,
  options: Partial<DevicesOptions> = {},
  folder: string = newFolder(),
): Promise<StagedInstall> {
  const log: string[] = []
  const logger = createLogger((line) => log.push(line), 'debug')
  const database = openDatabase(join(folder, 'devices.db'), deviceMigrations, { logger })
  const book = openDeviceBook(database, createSealer(key), { defaultName: name, logger, now: options.now ?? Date.now })
  const engine = new StagedEngine()
  const devices = new Devices({
    identity: await newIdentity(folder),
    book,
    engine,
    logger,
    listenOn: ['127.0.0.1'],
    ports: [],
    linkTimes: { dialMs: 2_000, longestPauseMs: 400 },
    ...options,
  })
  await devices.start()
  onTestFinished(async () => {
    await devices.stop()
    database.close()
  })
  return { devices, engine, folder, log }
}

/** Where a sharing install is reached by the others of a test. */
export function addressOf({ devices }: StagedInstall): string {
  const port = devices.book.own.value.port
  return `127.0.0.1:${port}`
}

/** Pairs as two persons do: words typed, and both agree. */
export async function pairInstalls(host: StagedInstall, guest: StagedInstall): Promise<void> {
  await host.devices.openCode()
  const words = host.devices.desk.state.value.code?.words ?? ''
  guest.devices.join(addressOf(host), words)
  await bothAsked(host, guest)
  agree(host)
  agree(guest)
  await soon(() => {
    if (guest.devices.desk.state.value.outcome?.result !== 'paired') throw new Error('not paired yet')
  })
}

/** The person's answer to whoever asks there now. */
export function agree({ devices: { desk } }: StagedInstall, accept = true): void {
  desk.confirm(desk.state.value.request?.id ?? 'nobody', accept)
}

export async function bothAsked(host: StagedInstall, guest: StagedInstall): Promise<void> {
  await soon(() => {
    for (const { devices } of [host, guest])
      if (devices.desk.state.value.request?.state !== 'asking') throw new Error('a person is not asked yet')
  })
}

/** Waits for the link to the chosen host. */
export async function linkUp({ devices }: StagedInstall): Promise<void> {
  await soon(() => {
    const state = devices.chosen.value?.link.state.value
    if (state?.status !== 'up') throw new Error('the link is not up yet')
  })
}
