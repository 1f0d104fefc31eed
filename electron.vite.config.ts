import { resolve } from 'node:path'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'electron-vite'

const from = (path: string): string => resolve(import.meta.dirname, path)

/**
 * `main` holds every entry that runs without a window: the Electron main process, the core, and the children of the core.
 * Each child has an entry of its own, because it is started as a process or thread by the path of its file.
 */
export default defineConfig({
  main: {
    build: {
      outDir: 'out/main',
      // The bundled Node 24 and the Node inside Electron 45 are the same generation.
      target: 'node24',
      rolldownOptions: {
        input: {
          desktop: from('main/desktop/main.ts'),
          'core-process': from('main/core-process.ts'),
          cli: from('main/headless/cli.ts'),
          'engine-process': from('main/inference/engine-process.ts'),
          'chain-process': from('main/localnet/chain-process.ts'),
          'pow-thread': from('main/protocol/wire/pow-thread.ts'),
        },
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'shared/[name]-[hash].js' },
      },
    },
  },
  preload: {
    build: {
      outDir: 'out/preload',
      // A sandboxed preload script can require nothing but electron: everything else is bundled, as CommonJS.
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: from('preload/index.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  },
  renderer: {
    root: 'renderer',
    plugins: [react(), tailwindcss()],
    build: { outDir: 'out/renderer', rolldownOptions: { input: { index: from('renderer/index.html') } } },
  },
})
