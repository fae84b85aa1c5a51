@echo off
rem Run shellwire from this checkout, like run.sh:
rem   run.bat ARGUMENT...       run shellwire with these arguments; without any, show its help
rem   run.bat --setup [EXTRA]   only set up the environment (EXTRA: dev, which test.bat needs)
rem The stamps are a copy of pyproject.toml and the checkout's path: if either changes, set up again.
setlocal
for %%I in ("%~dp0.") do set "root=%%~fI"
set "venv=%root%\.venv"
set "extra="
if "%~1"=="--setup" set "extra=%~2"
set "stamp=%venv%\shellwire-%extra%.toml"

set "was="
if exist "%venv%\shellwire.root" set /p was=<"%venv%\shellwire.root"
if not "%was%"=="%root%" goto setup
fc /b "%root%\pyproject.toml" "%stamp%" >nul 2>&1 && goto ready

:setup
echo shellwire: setting up .venv ...>&2
if exist "%venv%" rmdir /s /q "%venv%"
set "what=%root%"
if defined extra set "what=%root%[%extra%]"
set "PYTHONHOME="
set "PYTHONPATH="
where /q uv && goto uv

set "python=py -3"
%python% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1 && goto pip
set "python=python"
%python% -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>&1 && goto pip
echo shellwire: no Python 3.11 or newer: install one, or uv>&2
exit /b 1

:pip
%python% -m venv "%venv%" || exit /b 1
"%venv%\Scripts\python.exe" -m pip install --quiet --disable-pip-version-check -e "%what%" || exit /b 1
goto stamp

:uv
uv venv --quiet --python ">=3.11" "%venv%" || exit /b 1
uv pip install --quiet --python "%venv%\Scripts\python.exe" -e "%what%" || exit /b 1

:stamp
copy /y "%root%\pyproject.toml" "%venv%\shellwire-.toml" >nul || exit /b 1
copy /y "%root%\pyproject.toml" "%stamp%" >nul
>"%venv%\shellwire.root" echo %root%

:ready
if "%~1"=="--setup" exit /b 0
if "%~1"=="" goto help
rem endlocal is on the same line, so no variable set here reaches the daemon or the user's commands.
endlocal & "%venv%\Scripts\shellwire.exe" %*
exit /b %errorlevel%
:help
endlocal & "%venv%\Scripts\shellwire.exe" --help
exit /b %errorlevel%
