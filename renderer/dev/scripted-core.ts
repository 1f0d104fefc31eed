import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import type { Conversation, ConversationEvent, LevelView, PrivacyLevel } from '../../preload/api/chat.ts'
import { type StreamName, streams } from '../../preload/api/contract.ts'
import type { EarnState } from '../../preload/api/earn.ts'
import { defaultLimits, type LimitsState } from '../../preload/api/limits.ts'
import { type ToCore, toCore } from '../../preload/api/link.ts'
import type { ModelsMove } from '../../preload/api/model-fit.ts'
import type { HardwareFacts, ModelState, NetworkState, Settings, StartState, WalletState } from '../../preload/api/system.ts'
import * as sample from './sample-data.ts'

/** What the scripted core says. A scene changes what it needs. */
export interface Scene {
  settings: Settings
  levels: readonly LevelView[]
  /** Of every chat, in place of its own. */
  chatLevel?: PrivacyLevel
  earn: EarnState
  facts: HardwareFacts
  limits: LimitsState
  models: readonly ModelState[]
  move: ModelsMove
  network: NetworkState
  wallet: WalletState
  start: StartState
  /** False: the page's link was used up. */
  admitted: boolean
  /** Streams that stay silent, to see a screen while it waits. */
  silent: ReadonlySet<StreamName>
  empty: boolean
}

export const plainScene = (theme: Settings['theme'], language: Settings['language']): Scene => ({
  settings: { theme, language, model: null, earningPaused: false, openNetworkForbidden: false, limits: defaultLimits },
  levels: sample.levels,
  earn: sample.earn,
  facts: sample.facts,
  limits: sample.limits,
  models: sample.models,
  move: { status: 'idle' },
  network: sample.network,
  wallet: sample.wallet,
  start: sample.started,
  admitted: true,
  silent: new Set(),
  empty: false,
})

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Serves a built renderer and answers its WebSocket with sample data through the real schemas. For looking at the page only. */
export async function startScriptedCore(root: string, scene: Scene): Promise<{ port: number; scene: Scene; close(): void }> {
  const server: Server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname)
    const file = join(root, path === '/' ? 'index.html' : path)
    readFile(file).then(
      (body) => response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' }).end(body),
      () => response.writeHead(404).end(),
    )
  })
  const sockets = new WebSocketServer({ server, path: '/api' })
  sockets.on('connection', (socket) => {
    if (!scene.admitted) return socket.close(4401, 'open a new link')
    serve(socket, scene)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  return {
    port: at && typeof at === 'object' ? at.port : 0,
    scene,
    close: () => {
      for (const socket of sockets.clients) socket.terminate()
      server.close()
    },
  }
}

function serve(socket: WebSocket, scene: Scene): void {
  const timers = new Map<number, ReturnType<typeof setInterval>>()
  const conversations = new Map<string, Conversation>()
  const watchers = new Map<number, { name: StreamName; id: string | undefined }>()
  const send = (message: unknown): void => socket.send(JSON.stringify(message))
  const event = (n: number, name: StreamName, value: unknown): void =>
    send({ t: 'event', n, event: z.encode(streams[name].event as z.ZodType, value) })
  const tell = (name: StreamName, value: unknown, id?: string): void => {
    for (const [n, watcher] of watchers)
      if (watcher.name === name && (id === undefined || watcher.id === id)) event(n, name, value)
  }
  const chat = (id: string): Conversation | null => {
    const found = conversations.get(id) ?? sample.conversation(id)
    const known = found && { ...found, ...(scene.chatLevel && { level: scene.chatLevel }) }
    if (known) conversations.set(id, known)
    return known
  }

  const states: Partial<Record<StreamName, () => unknown>> = {
    'app.start': () => scene.start,
    settings: () => scene.settings,
    'models.list': () => scene.models,
    'models.moving': () => scene.move,
    'wallet.state': () => scene.wallet,
    'network.state': () => scene.network,
    'chat.list': () => (scene.empty ? [] : sample.chats),
    'chat.levels': () => scene.levels,
    'earn.state': () => scene.earn,
    'limits.state': () => scene.limits,
    'gateway.state': () => sample.gateway,
  }

  const subscribe = ({ n, name, input }: Extract<ToCore, { t: 'subscribe' }>): void => {
    const stream = name as StreamName
    if (scene.silent.has(stream)) return
    if (stream === 'hardware.telemetry') {
      let step = 0
      event(n, stream, sample.telemetry(step))
      timers.set(
        n,
        setInterval(() => event(n, stream, sample.telemetry(++step)), 1_000),
      )
      return
    }
    if (stream === 'chat.conversation') {
      const { id } = input as { id: string }
      const found = chat(id)
      if (!found) return send({ t: 'error', n, error: { code: 'not-found', message: 'There is no such chat.' } })
      watchers.set(n, { name: stream, id })
      return event(n, stream, { type: 'snapshot', conversation: found })
    }
    watchers.set(n, { name: stream, id: undefined })
    const value = states[stream]?.()
    // A stream that no sample was written for stays silent.
    if (value !== undefined) event(n, stream, value)
  }

  const answer = (id: string, text: string): Conversation['turns'][number] => {
    const found = chat(id)
    if (!found) throw new Error('no chat')
    const turn = { ...(sample.conversation('lease')?.turns[0] as Conversation['turns'][number]) }
    const { usage, tokensPerSecond, ...rest } = turn
    const started = {
      ...rest,
      id: `n${Date.now()}`,
      question: text,
      answer: '',
      status: 'streaming' as const,
      level: found.level,
    }
    conversations.set(id, { ...found, turns: [...found.turns, started] })
    const emit = (value: ConversationEvent): void => tell('chat.conversation', value, id)
    emit({ type: 'turn', turn: started })
    const words = turn.answer.split(/(?<= )/)
    const timer = setInterval(() => {
      const word = words.shift()
      if (word !== undefined) return emit({ type: 'delta', turnId: started.id, text: word })
      clearInterval(timer)
      emit({
        type: 'turn',
        turn: { ...started, answer: turn.answer, status: 'done', ...(usage && { usage }), tokensPerSecond: tokensPerSecond ?? 1 },
      })
    }, 25)
    timers.set(-Date.now(), timer)
    return started
  }

  const call = ({ n, name, input }: Extract<ToCore, { t: 'call' }>): void => {
    const ok = (output: unknown): void => send({ t: 'result', n, output })
    const values = input as { id: string; text: string; level: PrivacyLevel } & Partial<Settings>
    switch (name) {
      case 'app.info':
        return ok(sample.info)
      case 'hardware.facts':
        return ok(scene.facts)
      case 'models.storage':
        return ok({ folder: '/home/alex/.local/share/cocoon-desktop/models', usedBytes: 9.2e9, freeBytes: 214e9 })
      case 'settings.set':
        scene.settings = { ...scene.settings, ...values }
        tell('settings', scene.settings)
        return ok(scene.settings)
      case 'chat.send':
        return ok(answer(values.id, values.text))
      case 'chat.setLevel': {
        const found = chat(values.id)
        if (!found) break
        if (values.level === 'open' && !('understood' in values))
          return send({ t: 'error', n, error: { code: 'needs-consent', message: 'It needs your consent.' } })
        const { turns, ...summary } = { ...found, level: values.level }
        conversations.set(values.id, { ...summary, turns })
        tell('chat.conversation', { type: 'summary', summary }, values.id)
        return ok(summary)
      }
    }
    send({ t: 'error', n, error: { code: 'refused', message: 'The scripted core does not do this.' } })
  }

  socket.on('message', (data) => {
    const message = toCore.parse(JSON.parse(String(data)))
    if (message.t === 'subscribe') subscribe(message)
    else if (message.t === 'call') call(message)
    else {
      clearInterval(timers.get(message.n))
      watchers.delete(message.n)
    }
  })
  socket.on('close', () => {
    for (const timer of timers.values()) clearInterval(timer)
  })
}
