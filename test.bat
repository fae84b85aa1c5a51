@echo off
rem Run all checks, like test.sh. With arguments it runs only pytest and passes them on.
setlocal
pushd "%~dp0"
call run.bat --setup dev || exit /b 1

where /q npm || echo test.bat: no npm on PATH: the tests that need node will fail>&2
if not exist tests\node\node_modules (
  pushd tests\node
  call npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent
  popd
)

if not "%~1"=="" goto pytest
echo == ruff check
.venv\Scripts\ruff.exe check || exit /b
echo == ruff format --check
.venv\Scripts\ruff.exe format --check || exit /b
echo == mypy --strict
.venv\Scripts\mypy.exe --strict || exit /b
echo == mypy --config-file tests/windows/mypy.ini
.venv\Scripts\mypy.exe --config-file tests\windows\mypy.ini || exit /b
echo == lint-imports
.venv\Scripts\lint-imports.exe || exit /b
:pytest
echo == pytest %*
.venv\Scripts\pytest.exe %*
