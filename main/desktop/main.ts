import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { app, BrowserWindow, dialog, ipcMain, Menu, nativeImage, nativeTheme, protocol, session, shell, Tray } from 'electron'
import type { EarnState } from '../../preload/api/earn.ts'
import { forbidCoreDumps } from '../base/core-dumps.ts'
import { coreStopLimitMs } from '../shell-link.ts'
import { defaultDataDir } from '../storage/files.ts'
import { type CoreChild, startCoreChild } from './core-child.ts'
import { type TrayFeed, trayFeed } from './tray-feed.ts'
import { type TrayCommand, trayModel } from './tray-model.ts'
import { linkQuestion, mayNavigate, mayUse, pageFile, pageOrigin } from './window-policy.ts'

/** The desktop shell: window, tray and the pipe between page and core. What it decides lies in pure files beside it. */
const out = fileURLToPath(new URL('..', import.meta.url))
/** In the packaged app the core lies outside the archive, because its own Node cannot read inside. */
const unpacked = out.replace('app.asar', 'app.asar.unpacked')
const nodeName = process.platform === 'win32' ? 'node.exe' : 'node'
/** In the packaged app Node lies in the resources; from a clone `npm start` names it. */
const nodePath = process.env.COCOON_NODE ?? join(process.resourcesPath, 'node', nodeName)
/** The core ends itself before that: killed, it could not end its children in order. */
const stopGraceMs = coreStopLimitMs + 5_000
/** Shorter than a program must draw to count (main/earnings/pause-rule.ts). */
const processesEveryMs = 1_000
const windowLink = 'window'
const trayLink = 'tray'

forbidCoreDumps()

let window: BrowserWindow | null = null
let tray: Tray | null = null
let core: CoreChild | null = null
let feed: TrayFeed | null = null
let quitting = false
let shown: EarnState | null = null

const contentTypes: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.png': 'image/png',
}
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'"

protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } }])

function servePageFiles(): void {
  protocol.handle('app', async ({ url }) => {
    const file = pageFile(url)
    const type = file ? contentTypes[extname(file)] : undefined
    if (!file || !type) return new Response('There is no such page.', { status: 404 })
    try {
      const body = await readFile(join(out, 'renderer', file))
      return new Response(new Uint8Array(body), { headers: { 'content-type': type, 'content-security-policy': contentPolicy } })
    } catch (error) {
      return new Response(error instanceof Error ? 'There is no such page.' : 'Unreadable.', { status: 404 })
    }
  })
}

/** An answer's link may say one thing and lead elsewhere: the user sees the host before anything opens. */
async function askAndOpen(link: string): Promise<void> {
  const question = linkQuestion(link)
  if (!question || !window) return
  const { url, ...words } = question
  const { response } = await dialog.showMessageBox(window, { type: 'question', defaultId: 1, cancelId: 1, ...words })
  if (response === 0) await shell.openExternal(url)
}

function openWindow(path = '/'): void {
  if (window) {
    window.show()
    window.focus()
    if (path !== '/') void window.loadURL(`${pageOrigin}/${path}`)
    return
  }
  window = new BrowserWindow({
    width: 1280,
    height: 800,
    minWidth: 960,
    minHeight: 640,
    show: false,
    titleBarStyle: 'hidden',
    titleBarOverlay: process.platform !== 'darwin',
    webPreferences: {
      preload: join(out, 'preload', 'index.cjs'),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
    },
  })
  window.once('ready-to-show', () => window?.show())
  window.webContents.on('will-navigate', (event, url) => {
    if (!mayNavigate(url)) event.preventDefault()
  })
  window.webContents.setWindowOpenHandler(({ url }) => {
    void askAndOpen(url)
    return { action: 'deny' }
  })
  window.webContents.on('did-start-navigation', ({ isMainFrame, isSameDocument }) => {
    if (isMainFrame && !isSameDocument) core?.post({ type: 'open', link: windowLink })
  })
  // Serving goes on in the tray; the process ends by Quit only.
  window.on('close', (event) => {
    if (quitting) return
    event.preventDefault()
    window?.hide()
  })
  void window.loadURL(`${pageOrigin}/${path.replace(/^\//, '')}`)
}

function runTrayCommand(command: TrayCommand): void {
  switch (command) {
    case 'pause':
      return feed?.pause()
    case 'resume':
      return feed?.resume()
    case 'anyway':
      return feed?.anyway()
    case 'new-chat':
      return openWindow('#/chat/new')
    case 'settings':
      return openWindow('#/settings')
    case 'open':
      return openWindow()
    case 'quit':
      return app.quit()
  }
}

function showTray(state: EarnState | null): void {
  shown = state
  const model = trayModel(state)
  // macOS tints a template image by itself; elsewhere the glyph must stand out from the taskbar.
  const ground = process.platform !== 'darwin' && nativeTheme.shouldUseDarkColors ? '-on-dark' : ''
  const image = nativeImage.createFromPath(join(out, 'renderer', 'tray', `tray-${model.icon}${ground}.png`))
  if (process.platform === 'darwin') image.setTemplateImage(true)
  if (!tray) {
    tray = new Tray(image)
    tray.on('click', () => openWindow())
  }
  tray.setImage(image)
  tray.setToolTip(model.tooltip)
  tray.setContextMenu(
    Menu.buildFromTemplate(
      model.menu.map((item) => {
        switch (item.type) {
          case 'separator':
            return { type: 'separator' as const }
          case 'state':
            return { label: item.label, enabled: false }
          case 'command':
            return { label: item.label, click: () => runTrayCommand(item.command) }
        }
      }),
    ),
  )
}

/** The core must not take the process that draws the window for another program. Those of a window come and go with it. */
let toldPids = ''
function tellProcesses(): void {
  const pids = app.getAppMetrics().map(({ pid }) => pid)
  if (toldPids === pids.join()) return
  toldPids = pids.join()
  core?.post({ type: 'processes', pids: pids.slice(0, 256) })
}

function startCore(): void {
  core = startCoreChild({
    nodePath,
    entry: join(unpacked, 'main', 'core-process.js'),
    onLost: (code) => {
      dialog.showErrorBox(
        'Cocoon stopped',
        `The core of the app ended unexpectedly (${code ?? 'signal'}). Chats and money are safe on disk. Start Cocoon again.`,
      )
      app.quit()
    },
    onMessage: (message) => {
      switch (message.type) {
        case 'ready':
          core?.post({ type: 'open', link: trayLink })
          feed = trayFeed((toCore) => core?.post({ type: 'message', link: trayLink, message: toCore }), showTray)
          return openWindow()
        case 'message':
          if (message.link === trayLink) feed?.receive(message.message)
          else window?.webContents.send('cocoon:to-page', message.message)
          return
        case 'closed':
          return
        case 'failed':
          dialog.showErrorBox('Cocoon could not start', message.message)
          return app.quit()
      }
    },
  })
  tellProcesses()
  setInterval(tellProcesses, processesEveryMs)
}

// The window's own store lies in the app's folder too; the page keeps nothing of chats in it. One window for each folder.
app.setPath('userData', join(defaultDataDir(), 'window'))

if (!app.requestSingleInstanceLock()) {
  app.quit()
} else {
  app.on('second-instance', () => openWindow())
  app.on('activate', () => openWindow())
  app.on('window-all-closed', () => undefined)
  app.on('before-quit', (event) => {
    quitting = true
    const running = core
    if (!running) return
    event.preventDefault()
    core = null
    void running.stop(stopGraceMs).then(() => app.quit())
  })
  ipcMain.on('cocoon:to-core', (event, message: unknown) => {
    // Only our own page, in our own window, may speak to the core.
    if (event.sender === window?.webContents && mayNavigate(event.senderFrame?.url ?? '')) {
      core?.post({ type: 'message', link: windowLink, message })
    }
  })
  void app.whenReady().then(() => {
    session.defaultSession.setPermissionRequestHandler((_contents, permission, answer) => answer(mayUse(permission)))
    session.defaultSession.setPermissionCheckHandler((_contents, permission) => mayUse(permission))
    servePageFiles()
    showTray(null)
    nativeTheme.on('updated', () => showTray(shown))
    startCore()
  })
}
