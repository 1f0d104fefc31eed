import { contextBridge, ipcRenderer } from 'electron'

/**
 * The only thing the page can reach: a pipe of messages to the core, whose every message is parsed there by the schemas of
 * preload/api. No Electron or Node object crosses.
 */
contextBridge.exposeInMainWorld('cocoon', {
  send: (message: unknown): void => ipcRenderer.send('cocoon:to-core', message),
  onMessage: (listener: (message: unknown) => void): (() => void) => {
    const forward = (_event: unknown, message: unknown): void => listener(message)
    ipcRenderer.on('cocoon:to-page', forward)
    return () => ipcRenderer.off('cocoon:to-page', forward)
  },
})
