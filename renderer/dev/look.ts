import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { type Browser, chromium, type Page } from '@playwright/test'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { build } from 'vite'
import type { PrivacyLevel } from '../../preload/api/chat.ts'
import type { SealState } from '../../preload/api/privacy.ts'
import type { ModelState } from '../../preload/api/system.ts'
import * as sample from './sample-data.ts'
import * as seals from './sample-seals.ts'
import { plainScene, type Scene, startScriptedCore } from './scripted-core.ts'

/**
 * Builds the renderer, shows every screen over a scripted core in both themes and two sizes, writes pictures and runs axe on each.
 * Use: `node renderer/dev/look.ts <folder> [name filter]`. It exits with 1 when axe or the page's console found anything.
 */
const [folder = 'test-results/look', filter = ''] = process.argv.slice(2)
const root = join(import.meta.dirname, '..')
const out = join(root, '..', 'test-results', 'look-build')
const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium'

interface Look {
  readonly name: string
  readonly path: string
  readonly scene?: (scene: Scene) => void
  readonly act?: (page: Page) => Promise<unknown>
  readonly language?: 'en' | 'ru'
}

const fullDisk = (scene: Scene): void => {
  const diskFull = { folder: '/home/alex/.local/share/cocoon-desktop', sinceMs: Date.now() }
  scene.start = { ...sample.started, diskFull }
  scene.earn = { ...sample.earn, status: 'error', tile: 'Stopped', title: 'The disk is full', line: 'Free some space.', diskFull }
}

/** A chat at a level whose seal is as given; every level is set up. */
const atLevel =
  (level: PrivacyLevel, seal: SealState) =>
  (scene: Scene): void => {
    scene.levels = seals.levelsWith(level, seal)
    scene.chatLevel = level
  }

const toEnd = (page: Page): Promise<void> => page.locator('main').evaluate((main) => main.scrollTo(0, 99_999))

/** Two cards, of which the engine uses one. */
const withCards = (scene: Scene): void => {
  const card = { memoryBytes: 16e9, driver: null, pciId: null }
  const used = { cuda: true, vulkan: null, metal: false }
  const other = { cuda: false, vulkan: null, metal: false }
  const gpus: Scene['facts']['gpus'] = [
    { ...card, name: 'NVIDIA GeForce RTX 4080 SUPER', vendor: 'nvidia', backends: used, usedBackend: 'cuda' },
    { ...card, name: 'Intel UHD Graphics 770', vendor: 'intel', backends: other },
  ]
  scene.facts = { ...sample.facts, gpus }
}

const toCards = (page: Page): Promise<void> => page.getByText(/UHD Graphics 770:/).scrollIntoViewIfNeeded()

/** The chosen model got less than it was to have, and another one is loaded for a program. */
const withLittleMemory = (scene: Scene): void => {
  const gotLess: NonNullable<ModelState['gotLess']> = [
    { kind: 'less-context', asked: 8192, got: 2048 },
    { kind: 'fewer-layers', asked: 30, got: 15 },
  ]
  const [chosen, other, ...rest] = sample.models
  if (!chosen || !other) return
  const { progress: _, ...installed } = other
  scene.models = [{ ...chosen, gotLess }, { ...installed, status: 'installed', loadedForPrograms: true }, ...rest]
}

/** A network that names several endpoints, one of which is silent; or the first two disagree. */
const withEndpoints =
  (doDisagree = false) =>
  (scene: Scene): void => {
    const [endpoint, other] = ['https://toncenter.com/api/v2/jsonRPC', 'https://ton.example.org/api/v2/jsonRPC']
    const others = { same: [other], silent: ['https://chain.example.net/jsonRPC'] }
    scene.network = {
      ...sample.network,
      endpoint,
      others: { ...others, ...(doDisagree && { disputed: { first: endpoint, other } }) },
    }
  }

const toRules = (page: Page): Promise<void> => page.getByText('https://ton.example.org').last().scrollIntoViewIfNeeded()

/** A game has the graphics card. */
const forGame = (scene: Scene): void => {
  scene.earn = {
    ...sample.earn,
    ...{ status: 'paused', tile: 'Paused', title: 'Paused while Doom runs' },
    line: 'Starts again by itself 60 seconds after you quit, or when it takes next to nothing so long. Your GPU is free for the game.',
    titleWords: { code: 'pause-game', values: { program: 'Doom' } },
    lineWords: { code: 'pause-game-line', values: { program: 'Doom' } },
    pause: { reasons: ['game', 'battery'], canPassOver: true },
  }
  scene.levels = seals
    .levelsWith('computer', { phase: 'idle' })
    .map((one) =>
      one.level === 'computer'
        ? { ...one, state: 'unavailable', reason: 'Another program has it.', reasonWords: { code: 'engine-yielded' } }
        : one,
    )
  scene.chatLevel = 'computer'
}

/** A card that serves the main network, which pays today and not this week; or test coins, which never pay. */
const withPrices =
  (network: 'local' | 'mainnet') =>
  (scene: Scene): void => {
    const electricity = sample.electricity(network === 'mainnet' ? [650_960, 1_100_000] : [0, 0])
    scene.earn = { ...sample.earn, network, electricity }
    scene.settings = { ...scene.settings, prices: electricity.prices }
  }

const asleep = (scene: Scene): void => {
  scene.levels = seals
    .levelsWith('computer', { phase: 'idle' })
    .map((one) => (one.level === 'computer' ? { ...one, asleep: true } : one))
  scene.chatLevel = 'computer'
  scene.limits = { ...sample.limits, pausing: [], engine: 'asleep' }
}

const looks: readonly Look[] = [
  { name: 'limits', path: '#/settings/limits' },
  { name: 'schedule', path: '#/settings/schedule' },
  { name: 'schedule-ru', path: '#/settings/schedule', language: 'ru' },
  { name: 'prices', path: '#/settings/electricity' },
  { name: 'prices-ru', path: '#/settings/electricity', language: 'ru', scene: withPrices('mainnet') },
  {
    name: 'net-earn',
    path: '#/earn',
    act: (page) => page.getByRole('region', { name: 'Net today' }).scrollIntoViewIfNeeded(),
    scene: withPrices('mainnet'),
  },
  {
    name: 'net-how',
    path: '#/earn',
    scene: withPrices('mainnet'),
    act: (page) => page.getByRole('button', { name: 'How this is reckoned' }).click(),
  },
  { name: 'net-test-ru', path: '#/earn', language: 'ru', scene: withPrices('local') },
  { name: 'limits-end', path: '#/settings/limits', act: toEnd },
  { name: 'limits-ru', path: '#/settings/limits', language: 'ru' },
  { name: 'limits-end-ru', path: '#/settings/limits', language: 'ru', act: toEnd },
  { name: 'game-earn', path: '#/earn', scene: forGame },
  { name: 'game-earn-ru', path: '#/earn', language: 'ru', scene: forGame },
  { name: 'game-chat', path: '#/chat/lease', scene: forGame },
  { name: 'asleep-chat', path: '#/chat/lease', scene: asleep },
  { name: 'asleep-sheet', path: '#/chat/lease', scene: asleep, act: (page) => page.keyboard.press('Control+i') },
  { name: 'asleep-models', path: '#/models', scene: asleep },
  { name: 'chat', path: '#/chat/night' },
  { name: 'chat-top', path: '#/chat/lease', act: (page) => page.getByRole('log').evaluate((log) => log.scrollTo(0, 0)) },
  { name: 'chat-new', path: '#/chat/new' },
  { name: 'chat-failed', path: '#/chat/failed' },
  {
    name: 'chat-streaming',
    path: '#/chat/blood',
    act: async (page) => {
      await page.getByRole('textbox', { name: /Message|Сообщение/ }).fill('Say it again in plain words.')
      await page.getByRole('button', { name: /^(Send|Отправить)$/ }).click()
      await page.waitForTimeout(900)
    },
  },
  {
    name: 'chat-switcher',
    path: '#/chat/lease',
    act: (page) => page.getByRole('button', { name: /Change who|Изменить, кто/ }).click(),
  },
  ...(['devices', 'attested', 'open'] as const).flatMap((level): Look[] => [
    { name: `seal-${level}`, path: '#/chat/lease', scene: atLevel(level, seals.earned) },
    {
      name: `sheet-${level}`,
      path: '#/chat/lease',
      scene: atLevel(level, seals.earned),
      act: (page) => page.keyboard.press('Control+i'),
    },
  ]),
  { name: 'seal-checking', path: '#/chat/lease', scene: atLevel('attested', { phase: 'checking' }) },
  { name: 'seal-failed', path: '#/chat/lease', scene: atLevel('attested', seals.failed) },
  {
    name: 'sheet-failed',
    path: '#/chat/lease',
    scene: atLevel('attested', seals.failed),
    act: (page) => page.keyboard.press('Control+i'),
  },
  {
    name: 'consent',
    path: '#/chat/lease',
    scene: atLevel('computer', seals.earned),
    act: async (page) => {
      await page.keyboard.press('Alt+4')
      await page.getByRole('alertdialog').getByRole('checkbox').waitFor()
    },
  },
  { name: 'sheet-computer', path: '#/chat/lease', act: (page) => page.keyboard.press('Control+i') },
  { name: 'sheet-practice', path: '#/chat/night', act: (page) => page.keyboard.press('Control+i') },
  {
    name: 'chat-starting',
    path: '#/chat/new',
    scene: (scene) => {
      scene.start = sample.starting
      scene.empty = true
      scene.models = sample.models.slice(1)
      scene.levels = [
        { level: 'computer', state: 'starting', reason: 'Loading Qwen3 0.6B, 45%', model: 'Qwen3 0.6B', seal: { phase: 'idle' } },
        { level: 'practice', state: 'unavailable', reason: 'The proxy is not ready yet.', seal: { phase: 'idle' } },
      ]
    },
    act: (page) => page.getByRole('button', { name: /Show details|Показать подробности/ }).click(),
  },
  {
    name: 'palette',
    path: '#/chat/lease',
    act: async (page) => {
      await page.keyboard.press('Control+k')
      await page.keyboard.type('p')
    },
  },
  { name: 'earn', path: '#/earn' },
  { name: 'earn-end', path: '#/earn', act: toEnd },
  { name: 'cards-earn', path: '#/earn', act: toCards, scene: withCards },
  { name: 'cards-earn-ru', path: '#/earn', act: toCards, scene: withCards, language: 'ru' },
  {
    name: 'earn-fresh',
    path: '#/earn',
    scene: (scene) => {
      scene.earn = {
        ...sample.earn,
        status: 'waiting',
        title: 'Ready, waiting for requests',
        line: 'Serving on the CPU, test coins.',
        tile: 'Waiting',
        today: 0n,
        last7Days: 0n,
        lifetime: 0n,
        counted: 0n,
        pending: 0n,
        settled: 0n,
        settleable: 0n,
        todayByHalfHour: sample.earn.todayByHalfHour.map(() => 0n),
        requests: [],
        payouts: [],
        answered: 0,
        cancelled: 0,
        failed: 0,
      }
    },
  },
  {
    name: 'earn-settle',
    path: '#/earn',
    act: (page) => page.getByRole('button', { name: /Settle now|Выплатить сейчас/ }).click(),
  },
  {
    name: 'earn-table',
    path: '#/earn',
    act: (page) => page.getByRole('button', { name: /Show as table|Показать таблицей/ }).click(),
  },
  { name: 'models', path: '#/models' },
  { name: 'models-little-memory', path: '#/models', scene: withLittleMemory },
  { name: 'models-little-memory-ru', path: '#/models', scene: withLittleMemory, language: 'ru' },
  {
    name: 'models-add',
    path: '#/models',
    act: (page) =>
      page
        .getByRole('button', { name: /Add a GGUF file|Добавить файл GGUF/ })
        .first()
        .click(),
  },
  { name: 'chat-hebrew', path: '#/chat/hebrew' },
  { name: 'wallet', path: '#/wallet' },
  {
    name: 'wallet-returning',
    path: '#/wallet',
    scene: (scene) => {
      scene.wallet = {
        ...sample.wallet,
        returning: [
          { contract: 'EQold', amount: 1_200_000_000n, phase: 'closing', unlockAtMs: Date.now() + 60_000 },
          { contract: 'EQolder', amount: 340_000_000n, phase: 'owed' },
        ],
      }
    },
  },
  { name: 'network', path: '#/network' },
  { name: 'network-agreed', path: '#/network', scene: withEndpoints(), act: toRules },
  { name: 'network-disagree', path: '#/network', scene: withEndpoints(true) },
  { name: 'network-disagree-rules', path: '#/network', scene: withEndpoints(true), act: toRules },
  { name: 'network-disagree-ru', path: '#/network', language: 'ru', scene: withEndpoints(true), act: toRules },
  { name: 'settings', path: '#/settings' },
  { name: 'settings-storage', path: '#/settings/storage' },
  { name: 'settings-storage-ru', path: '#/settings/storage', language: 'ru' },
  {
    name: 'settings-storage-moving',
    path: '#/settings/storage',
    scene: (scene) => {
      const bytes = { doneBytes: 3.2e9, totalBytes: 9.1e9, bytesPerSecond: 140e6 }
      scene.move = { status: 'moving', to: '/media/alex/large disk/Cocoon models', file: 'Qwen3-8B.Q4_K_M.gguf', ...bytes }
    },
  },
  {
    name: 'settings-storage-away',
    path: '#/settings/storage',
    scene: (scene) => {
      scene.move = { status: 'away', folder: '/media/alex/large disk/Cocoon models' }
    },
  },
  { name: 'about', path: '#/settings/about' },
  {
    name: 'refused',
    path: '',
    scene: (scene) => {
      scene.admitted = false
    },
  },
  {
    name: 'loading',
    path: '#/earn',
    scene: (scene) => {
      scene.silent = new Set(['earn.state'])
    },
    act: (page) => page.waitForTimeout(2_300),
  },
  { name: 'disk-full', path: '#/earn', scene: fullDisk },
  { name: 'disk-full-ru', path: '#/earn', language: 'ru', scene: fullDisk },
  { name: 'chat-ru', path: '#/chat/night', language: 'ru' },
  { name: 'earn-ru', path: '#/earn', language: 'ru' },
  { name: 'wallet-ru', path: '#/wallet', language: 'ru' },
  { name: 'chat-failed-ru', path: '#/chat/failed', language: 'ru' },
  { name: 'models-ru', path: '#/models', language: 'ru' },
  { name: 'network-ru', path: '#/network', language: 'ru' },
  { name: 'settings-ru', path: '#/settings/about', language: 'ru' },
]

const sizes = [
  { width: 1280, height: 800 },
  { width: 960, height: 640 },
] as const

async function look(browser: Browser, one: Look, theme: 'light' | 'dark', size: (typeof sizes)[number]): Promise<string[]> {
  const scene = plainScene(theme, one.language ?? 'en')
  one.scene?.(scene)
  const core = await startScriptedCore(out, scene)
  const context = await browser.newContext({ viewport: size, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(`console: ${message.text().slice(0, 200)}`)
  })
  page.on('pageerror', (error) => problems.push(`page: ${error.message}`))
  await page.goto(`http://127.0.0.1:${core.port}/${one.path}`)
  await page.locator('h1').first().waitFor()
  await page.waitForTimeout(350)
  await one.act?.(page)
  await page.waitForTimeout(250)
  await page.screenshot({ path: join(folder, `${one.name}-${theme}-${size.width}.png`) })
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
  if (wide) problems.push('the page is wider than the window')
  const { violations } = await new AxeBuilder({ page }).analyze()
  for (const { id, help, nodes } of violations)
    problems.push(
      `axe ${id}: ${help}: ${nodes
        .slice(0, 3)
        .map(({ html }) => html.slice(0, 160))
        .join(' | ')}`,
    )
  await context.close()
  core.close()
  return problems.map((problem) => `${one.name} ${theme} ${size.width}: ${problem}`)
}

mkdirSync(folder, { recursive: true })
await build({
  root,
  configFile: false,
  logLevel: 'warn',
  plugins: [react(), tailwindcss()],
  build: { outDir: out, emptyOutDir: true },
})
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
const problems: string[] = []
let count = 0
for (const one of looks.filter(({ name }) => new RegExp(filter).test(name))) {
  for (const theme of ['light', 'dark'] as const) {
    for (const size of sizes) {
      problems.push(
        ...(await look(browser, one, theme, size).catch((error: unknown) => [
          `${one.name} ${theme} ${size.width}: ${String(error)}`,
        ])),
      )
      count++
    }
  }
}
await browser.close()
for (const problem of problems) process.stdout.write(`${problem}\n`)
process.stdout.write(`${count} pictures, ${problems.length} problems\n`)
process.exitCode = problems.length > 0 || count === 0 ? 1 : 0
