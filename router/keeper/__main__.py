from router.keeper.main import main

if __name__ == "__main__":
    main()
